"""Training and test of each method in BasicSR's loop: one shared base and one small subclass a method."""
