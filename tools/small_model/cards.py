"""Draws the world's cards, as crates/world/src/draw does: endless frames for the tower without encoding videos.

Outlines and digits are signed distances (negative inside), tabulated once and looked up for each card.
"""

import math
from dataclasses import dataclass

import numpy as np

from .settings import COLOURS, SHAPES

RGB = np.array([[214, 28, 36], [255, 138, 20], [252, 228, 48], [24, 150, 58], [36, 84, 224], [140, 40, 176],
                [246, 246, 246], [16, 16, 16]], np.float32)
BLACK, WHITE = COLOURS.index("black"), COLOURS.index("white")
# Pairs that are told apart badly, either way round.
WEAK = {frozenset(COLOURS.index(c) for c in pair) for pair in (
    ("yellow", "white"), ("orange", "yellow"), ("red", "orange"), ("blue", "purple"), ("red", "purple"),
    ("blue", "black"), ("purple", "black"))}
READABLE = [(plate, shape) for plate in range(8) for shape in range(8)
            if plate != shape and frozenset((plate, shape)) not in WEAK]
DIGIT_WIDTH, BETWEEN_DIGITS, HALF_STROKE = 0.6, 0.32, 0.095


@dataclass(frozen=True)
class Card:
    """Indices into COLOURS and SHAPES, and the number."""

    plate: int
    shape: int
    shape_colour: int
    number: int

    @property
    def tens(self):
        """The first of two digits, or 0: numbers are 0 to 9 in stage 1 and 10 to 99 in stage 2."""
        return self.number // 10

    @property
    def units(self):
        return self.number % 10

    @property
    def aspect(self):
        """The plate's width over its height."""
        return 2.0 if self.tens else 1.7


def every_card():
    """All cards of both stages, 33,600."""
    return [Card(plate, shape, colour, number) for plate, colour in READABLE
            for shape in range(len(SHAPES)) for number in range(100)]


def ink(plate):
    return BLACK if RGB[plate] @ [0.299, 0.587, 0.114] > 120 else WHITE


def segments_distance(segments, x, y):
    """Distance to the nearest of `segments` [n, 4]."""
    nearest = np.full(x.shape, np.inf)
    for ax, ay, bx, by in segments:
        dx, dy = bx - ax, by - ay
        share = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - share * dx, y - ay - share * dy))
    return nearest


def polygon_distance(corners, x, y):
    inside = np.zeros(x.shape, bool)
    edges = [(*a, *b) for a, b in zip(corners, corners[1:] + corners[:1])]
    for ax, ay, bx, by in edges:
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    distance = segments_distance(edges, x, y)
    return np.where(inside, -distance, distance)


def outline_distance(shape, x, y):
    """A shape within the circle of radius 1; y points down."""
    radius = np.hypot(x, y)
    if shape == "circle":
        return radius - 0.9
    if shape == "ring":
        return np.maximum(radius - 0.95, 0.5 - radius)
    long, short = 0.9, 0.3
    corners = {
        "square": [(-0.78, -0.78), (0.78, -0.78), (0.78, 0.78), (-0.78, 0.78)],
        "triangle": [(0.0, -0.95), (0.98, 0.78), (-0.98, 0.78)],
        "diamond": [(0.0, -1.0), (0.66, 0.0), (0.0, 1.0), (-0.66, 0.0)],
        "star": [(r * math.cos(a), r * math.sin(a) + 0.06) for i in range(10)
                 for r, a in [(0.42 if i % 2 else 1.0, i * math.tau / 10 - math.pi / 2)]],
        "cross": [(-short, -long), (short, -long), (short, -short), (long, -short), (long, short), (short, short),
                  (short, long), (-short, long), (-short, short), (-long, short), (-long, -short), (-short, -short)],
        "heart": [(16 * math.sin(t) ** 3 / 17, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
                                                 - math.cos(4 * t)) / 17 - 0.12)
                  for t in (i * math.tau / 32 for i in range(32))],
    }
    return polygon_distance(corners[shape], x, y)


def arc(centre, radii, start, end):
    steps = max(math.ceil(abs(end - start) / 24), 2)
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]


def digit_segments(digit):
    """Strokes in a box 0.6 wide and 1 high."""
    six = [arc((0.58, 0.68), (0.56, 0.68), 180, 262), arc((0.3, 0.69), (0.28, 0.31), 0, 360)]
    lines = {
        0: [arc((0.3, 0.5), (0.29, 0.5), 0, 360)],
        1: [[(0.08, 0.24), (0.33, 0.0), (0.33, 1.0)], [(0.1, 1.0), (0.56, 1.0)]],
        2: [arc((0.3, 0.29), (0.28, 0.29), -170, 35) + [(0.03, 1.0), (0.6, 1.0)]],
        3: [arc((0.27, 0.25), (0.27, 0.25), -150, 90), arc((0.27, 0.75), (0.32, 0.25), -90, 150)],
        4: [[(0.45, 1.0), (0.45, 0.0), (0.0, 0.7), (0.62, 0.7)]],
        5: [[(0.55, 0.0), (0.08, 0.0), (0.05, 0.44)] + arc((0.27, 0.67), (0.32, 0.33), -135, 145)],
        6: six,
        7: [[(0.0, 0.0), (0.6, 0.0), (0.2, 1.0)]],
        8: [arc((0.3, 0.24), (0.24, 0.24), 0, 360), arc((0.3, 0.74), (0.3, 0.26), 0, 360)],
        9: [[(0.6 - x, 1.0 - y) for x, y in line] for line in six],
    }[digit]
    return [(*a, *b) for line in lines for a, b in zip(line, line[1:])]


class Table:
    """A distance tabulated on a square of half-side `reach` around (cx, cy)."""

    SIDE = 320

    def __init__(self, distance, centre, reach):
        self.centre, self.reach = centre, reach
        at = (np.arange(self.SIDE) + 0.5) / self.SIDE * 2 * reach - reach
        x, y = np.meshgrid(at + centre[0], at + centre[1])
        self.values = distance(x, y).astype(np.float32)

    def __call__(self, x, y):
        scale = self.SIDE / (2 * self.reach)
        column = np.clip((x - (self.centre[0] - self.reach)) * scale, 0, self.SIDE - 1).astype(np.int32)
        row = np.clip((y - (self.centre[1] - self.reach)) * scale, 0, self.SIDE - 1).astype(np.int32)
        return self.values[row, column]


class Painter:
    """Lays cards over frames [height, width, 3] in place."""

    def __init__(self):
        self.shapes = [Table(lambda x, y, s=s: outline_distance(s, x, y), (0, 0), 1.6) for s in SHAPES]
        self.digits = [Table(lambda x, y, d=d: segments_distance(digit_segments(d), x, y), (0.3, 0.5), 1.1)
                       for d in range(10)]

    def lay(self, frame, card, centre, plate_height, tilt_degrees):
        """`centre` in pixels."""
        frame_height, frame_width = frame.shape[:2]
        height, width = plate_height, card.aspect * plate_height
        sin, cos = math.sin(math.radians(tilt_degrees)), math.cos(math.radians(tilt_degrees))
        bounds = tilted_bounds((width, height), tilt_degrees)
        left, right = (int(centre[0] + sign * (bounds[0] / 2 + 2)) for sign in (-1, 1))
        top, bottom = (int(centre[1] + sign * (bounds[1] / 2 + 2)) for sign in (-1, 1))
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, frame_width), min(bottom, frame_height)
        x, y = np.meshgrid(np.arange(left, right) + 0.5 - centre[0], np.arange(top, bottom) + 0.5 - centre[1])
        x, y = (x * cos + y * sin).astype(np.float32), (y * cos - x * sin).astype(np.float32)

        qx, qy = np.abs(x) - width / 2 + 0.14 * height, np.abs(y) - height / 2 + 0.14 * height
        edge = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - 0.14 * height
        radius = 0.36 * height
        shape = self.shapes[card.shape]((x + width / 2 - 0.5 * height) / radius, y / radius) * radius
        number = self.number_distance(card.number, x, y, width, height)

        line = RGB[ink(card.plate)]
        layers = ((None, RGB[card.plate]), (1 - coverage(edge + 0.035 * height), line), (coverage(shape - 0.025 * height), line),
                  (coverage(shape), RGB[card.shape_colour]), (coverage(number), line))
        under = frame[top:bottom, left:right]
        under[:] = np.rint(blend(under.astype(np.float32), overlaid(layers), coverage(edge)))

    def number_distance(self, number, x, y, width, height):
        digits = [int(digit) for digit in str(number)]
        left, right = -width / 2 + height, width / 2
        pitch = DIGIT_WIDTH + BETWEEN_DIGITS
        units = len(digits) * pitch - BETWEEN_DIGITS
        scale = min(0.68 * height, (right - left - 0.12 * height) / (units + 2 * HALF_STROKE))
        start = (left + right - 0.06 * height) / 2 - units * scale / 2
        nearest = [self.digits[digit]((x - start) / scale - i * pitch, y / scale + 0.5) for i, digit in enumerate(digits)]
        return np.minimum.reduce(nearest) * scale - HALF_STROKE * scale


def tilted_bounds(size, tilt_degrees):
    """Width and height of the upright rectangle around a tilted one."""
    (width, height), angle = size, math.radians(tilt_degrees)
    sin, cos = abs(math.sin(angle)), abs(math.cos(angle))
    return (width * cos + height * sin, width * sin + height * cos)


def coverage(distance):
    return np.clip(0.5 - distance, 0, 1)


def overlaid(layers):
    """(cover [height, width], colour) from the lowest, which covers all, to the uppermost: [height, width, 3]."""
    left, shares = 1.0, []
    for cover, _ in reversed(layers[1:]):
        shares.append(left * cover)
        left = left * (1 - cover)
    return np.stack([left, *reversed(shares)], axis=-1) @ np.stack([colour for _, colour in layers])


def blend(under, over, cover):
    return under + (over - under) * cover[..., None]
