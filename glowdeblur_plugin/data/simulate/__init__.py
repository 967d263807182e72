"""Physically ordered blur: sub-frames in linear light, averaged, clipped, noise, camera response, 8 bit."""
