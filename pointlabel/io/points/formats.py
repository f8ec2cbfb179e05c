"""Names of the formats of points, and what messages call them. Loads no reader."""

#: In the order in which readers are asked: those that look for something of their own come before those that take any
#: table, and any folder.
FORMATS = {
    "manifest": "manifest.jsonl of annotate",
    "labelme": "JSON of LabelMe or X-AnyLabeling",
    "coco": "JSON of COCO",
    "datumaro": "JSON of Datumaro",
    "labelu": "JSON of LabelU",
    "label-studio": "JSON of Label Studio",
    "cvat": "XML of CVAT",
    "sirst-xml": "XML of SIRST-v2's centroids",
    "mclc": ".npy of MCLC or D2D",
    "napari": "CSV of napari",
    "yolo": "text of YOLO",
    "bestie": "text of BESTIE",
    "csv": "a CSV table",
    "one-pixel": "a folder of one-pixel images",
}
