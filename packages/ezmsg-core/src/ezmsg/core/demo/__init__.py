"""The demonstration: a recorded heart, filtered, its beats found, live on one screen."""
