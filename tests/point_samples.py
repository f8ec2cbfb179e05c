"""One small file of each format of points: a click on the pixel in row 1, column 1 of ``t1.png``, 5 wide and 4 high."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

SHAPE = (4, 5)

LABELME: dict[str, Any] = {
    "version": "5.5.0",
    "flags": {},
    "shapes": [
        {
            "label": "target",
            "points": [[1.5, 1.5]],
            "group_id": None,
            "description": "",
            "shape_type": "point",
            "flags": {},
            "mask": None,
        }
    ],
    "imagePath": "..\\images\\t1.png",
    "imageData": None,
    "imageHeight": 4,
    "imageWidth": 5,
}
ANYLABELING = {
    **LABELME,
    "version": "2.3.5",
    "imagePath": "t1.png",
    "text": "",
    "shapes": [
        {
            "label": "target",
            "score": 0.5,
            "points": [[1, 1], [2, 1], [2, 2], [1, 2]],
            "shape_type": "rectangle",
            "difficult": False,
            "attributes": {"polarity": "dark"},
        }
    ],
}
CVAT = (
    '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta/>'
    '<image id="0" name="t1.png" width="5" height="4"><points label="target" source="manual" occluded="0" '
    'points="1.50,1.50" z_order="0"></points></image></annotations>'
)
CVAT_VIDEO = (
    "<annotations><meta><task><size>2</size><original_size><width>5</width><height>4</height></original_size></task>"
    '</meta><track id="7" label="target"><points frame="1" outside="0" occluded="0" keyframe="1" points="1.50,1.50"/>'
    '<points frame="0" outside="1" occluded="0" keyframe="1" points="3.00,3.00"/></track></annotations>'
)
_LS_RESULT = {
    "id": "a",
    "type": "keypointlabels",
    "from_name": "kp-1",
    "to_name": "img-1",
    "original_width": 5,
    "original_height": 4,
    "image_rotation": 0,
    "value": {"x": 30.0, "y": 37.5, "width": 0.5, "keypointlabels": ["target"]},
}
LABEL_STUDIO: list[dict[str, Any]] = [
    {
        "id": 1,
        "data": {"image": "/data/upload/7/1a2b3c4d-t1.png"},
        "annotations": [{"id": 1, "was_cancelled": False, "result": [_LS_RESULT]}],
        "predictions": [],
    }
]
LABEL_STUDIO_MIN = [
    {
        "image": "/data/local-files/?d=clicks/t1.png",
        "kp-1": [
            {
                "x": 30.0,
                "y": 37.5,
                "width": 0.5,
                "keypointlabels": ["target"],
                "original_width": 5,
                "original_height": 4,
            }
        ],
        "id": 1,
    }
]
COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "t1.png", "width": 5, "height": 4}],
    "categories": [{"id": 1, "name": "target", "keypoints": ["center"], "skeleton": []}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "keypoints": [1.5, 1.5, 2],
            "num_keypoints": 1,
            "bbox": [1.5, 1.5, 0, 0],
            "area": 0,
            "iscrowd": 0,
        }
    ],
}
DATUMARO: dict[str, Any] = {
    "dm_format_version": "1.0",
    "info": {},
    "categories": {
        "label": {"labels": [{"name": "target", "parent": "", "attributes": []}], "attributes": []},
        "points": {"items": []},
    },
    "items": [
        {
            "id": "t1",
            "annotations": [
                {
                    "id": 0,
                    "type": "points",
                    "attributes": {},
                    "group": 0,
                    "label_id": 0,
                    "points": [1.5, 1.5],
                    "visibility": [2],
                    "z_order": 0,
                }
            ],
            "image": {"path": "t1.png", "size": [4, 5]},
        }
    ],
}
LABELU = [
    {
        "id": 1,
        "result": json.dumps(
            {
                "width": 5,
                "height": 4,
                "rotate": 0,
                "annotations": [
                    {
                        "toolName": "pointTool",
                        "result": [{"x": 1.5, "y": 1.5, "visible": True, "label": "target", "order": 1}],
                    }
                ],
            }
        ),
        "url": "/api/v1/tasks/attachment/upload/1/e875f554-t1.png",
        "fileName": "e875f554-t1.png",
    }
]
SIRST_XML = (
    "<annotation><filename>t1</filename><size><width>5</width><height>4</height><depth>1</depth></size><object>"
    "<name>Target</name><centroid><yc>2.0000</yc><xc>2.0000</xc></centroid></object></annotation>"
)
MCLC: dict[str, Any] = {
    "name": "t1",
    "Ymin_f": [0],
    "Ymax_f": [3],
    "Xmin_f": [0],
    "Xmax_f": [3],
    "centroid_label_y": [1],
    "centroid_label_x": [1],
    "target_type": ["Spot"],
}
MCLC_EMPTY = {**dict.fromkeys(MCLC, 0), "name": "t1", "target_type": "non_target"}
MANIFEST = {
    "id": "t1",
    "status": "ok",
    "height": 4,
    "width": 5,
    "image": "t1.png",
    "targets": [{"x": 1.0, "y": 1.0, "area": 1, "flags": [], "polarity": "dark", "label": "target"}],
}
DETECTIONS = (
    "image,x,y,left,top,width,height,area,peak,mean_score\nt1,1.000,1.000,1,1,1,1,1,0.9000,0.9000\n"  # of predict
)


def npy(table: Any) -> bytes:
    """A table as the authors of MCLC store it."""
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=True)
    return buffer.getvalue()


#: Format and file of each sample, and what is in it.
SAMPLES: dict[tuple[str, str], bytes] = {
    ("labelme", "t1.json"): json.dumps(LABELME).encode(),
    ("labelme", "any.json"): json.dumps(ANYLABELING).encode(),
    ("cvat", "annotations.xml"): CVAT.encode(),
    ("label-studio", "tasks.json"): json.dumps(LABEL_STUDIO).encode(),
    ("label-studio", "min.json"): json.dumps(LABEL_STUDIO_MIN).encode(),
    ("coco", "coco.json"): json.dumps(COCO).encode(),
    ("datumaro", "default.json"): json.dumps(DATUMARO).encode(),
    ("labelu", "labelu.json"): json.dumps(LABELU).encode(),
    ("yolo", "t1.txt"): b"0 0.3 0.375 0 0 0.3 0.375 2\n",
    ("yolo", "box/t1.txt"): b"0 0.3 0.375 0.2 0.25\n",
    ("bestie", "bestie/t1.txt"): b"1 1 0 0.9\n",
    ("sirst-xml", "t1.xml"): SIRST_XML.encode(),
    ("mclc", "t1.npy"): npy(MCLC),
    ("napari", "t1.csv"): b"index,axis-0,axis-1\n0.0,1.0,1.0\n",
    ("csv", "clicks.csv"): b"image,x,y,label,id\nt1.png,1,1,target,0\n",
    ("csv", "boxes.csv"): b"filename,xmin,ymin,xmax,ymax,polarity\nt1.png,0,0,2,2,dark\n",
    ("csv", "detections.csv"): DETECTIONS.encode(),
    ("manifest", "manifest.jsonl"): json.dumps(MANIFEST).encode() + b"\n",
}
