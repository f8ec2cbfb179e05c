"""The default method in torch: windows of many images in batches, on a CPU or a GPU. Needs ``pointlabel[train]``."""
