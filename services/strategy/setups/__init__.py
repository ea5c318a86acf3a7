"""The detectors: one file per setup, each a pure rule on a scene."""
