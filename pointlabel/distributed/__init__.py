"""Engines that do the images of a run on other machines; each is an `Engine` of `pointlabel.folder.pool`."""
