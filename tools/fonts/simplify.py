"""Redraw an outline made of many short straight lines with few lines and quadratic curves, within a stated error.

HanaMin's outlines are polygons: each curve of a stroke is a dozen corners. Two thirds of its bytes say nothing.
"""

from math import hypot

# The most corners that one line or curve stands for, and how many longer curves are tried after one did not fit.
MOST, PATIENCE = 48, 2

# A corner that turns by more than this (sine over 1, cosine) is a corner of the character, not part of a curve: 37 degrees.
COSINE = 0.8


def simplify(contour, scale, error):
    """Return a closed contour as (x, y, on curve) in whole units of the scaled grid, or nothing when it vanishes there.

    error bounds, in units of the grid, how far any corner of the original, and the middle between two, lies beside what is
    drawn; past the end of a line it may be 1.42 times that. Rounding to the grid is part of it: it cannot be less than 0.71.
    """
    points = [(x * scale, y * scale) for x, y in contour]
    points = [p for i, p in enumerate(points) if p != points[i - 1]]
    n = len(points)
    if n < 3:
        return []
    # The leftmost corner ends a stroke, or is where a curve turns: a good place to begin.
    first = min(range(n), key=lambda i: (points[i][0], -points[i][1]))
    points = points[first:] + points[: first + 1]
    grid = [(round(x), round(y)) for x, y in points]
    bends = [0] + [bend(points[i - 1], points[i], points[i + 1]) for i in range(1, n)] + [0]

    # best[j] is the fewest points that draw the contour as far as corner j, by what came before it and how.
    best = [(0, 0, None)] + [None] * n
    for i in range(n):
        for j, control in pieces(points, grid, bends, i, error):
            cost = best[i][0] + (1 if control is None else 2)
            if best[j] is None or cost < best[j][0]:
                best[j] = (cost, i, control)
    drawn = []
    j = n
    while j > 0:
        _, i, control = best[j]
        drawn.append((*grid[j], True))
        if control is not None:
            drawn.append((*control, False))
        j = i
    drawn.reverse()
    drawn = [p for k, p in enumerate(drawn) if p != drawn[k - 1] and not implied(drawn, k)]
    return drawn if len(drawn) > 2 else []


def bend(a, b, c):
    """Which way the line turns at b: 1, -1, 0 not at all, None by so much that it is a corner of the character."""
    ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], c[0] - b[0], c[1] - b[1]
    if ux * vx + uy * vy < COSINE * hypot(ux, uy) * hypot(vx, vy):
        return None
    cross = ux * vy - uy * vx
    return (cross > 0) - (cross < 0)


def pieces(points, grid, bends, i, error):
    """Yield each corner that a line or a curve from corner i reaches, with the curve's control point."""
    n = len(points) - 1
    yield i + 1, None
    last = min(n, i + MOST)
    for j in range(i + 2, last + 1):
        if not near_line(points[i : j + 1], grid[i], grid[j], error):
            break
        yield j, None
    way, failed = 0, 0
    for j in range(i + 2, last + 1):
        turn = bends[j - 1]
        if turn is None or turn * way < 0:
            return
        way = way or turn
        if j < i + 3 or way == 0:
            continue  # two lines cost no more
        control = fit(points[i : j + 1], grid[i], grid[j], error)
        if control is None:
            failed += 1
            if failed > PATIENCE:
                return
            continue
        failed = 0
        yield j, control


def near_line(points, a, b, error):
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = hypot(dx, dy)
    if length == 0:
        return False
    for x, y in points:
        along = ((x - a[0]) * dx + (y - a[1]) * dy) / length
        if along < -error or along > length + error or abs((x - a[0]) * dy - (y - a[1]) * dx) > error * length:
            return False
    return True


def fit(points, a, b, error):
    """Return the control point, on the grid, of a quadratic curve from a to b near all points; None when there is none."""
    samples, lengths, length = [], [], 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        step = hypot(x1 - x0, y1 - y0)
        samples += [((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1)]
        lengths += [length + step / 2, length + step]
        length += step
    times = [v / length for v in lengths]
    control = least_squares(samples, times, a, b)
    times = [project(s, t, a, control, b) for s, t in zip(samples, times)]
    control = least_squares(samples, times, a, b)
    control = (round(control[0]), round(control[1]))
    for (x, y), t in zip(samples, times):
        t = project((x, y), t, a, control, b)
        u = 1 - t
        ex = u * u * a[0] + 2 * u * t * control[0] + t * t * b[0] - x
        ey = u * u * a[1] + 2 * u * t * control[1] + t * t * b[1] - y
        if ex * ex + ey * ey > error * error:
            return None
    return control


def least_squares(samples, times, a, b):
    sx = sy = sw = 0.0
    for (x, y), t in zip(samples, times):
        u = 1 - t
        w = 2 * u * t
        sx += w * (x - u * u * a[0] - t * t * b[0])
        sy += w * (y - u * u * a[1] - t * t * b[1])
        sw += w * w
    return sx / sw, sy / sw


def project(point, t, a, c, b):
    """Move t one step of Gauss-Newton towards where the curve is nearest to point."""
    u = 1 - t
    ex = u * u * a[0] + 2 * u * t * c[0] + t * t * b[0] - point[0]
    ey = u * u * a[1] + 2 * u * t * c[1] + t * t * b[1] - point[1]
    dx = 2 * (u * (c[0] - a[0]) + t * (b[0] - c[0]))
    dy = 2 * (u * (c[1] - a[1]) + t * (b[1] - c[1]))
    speed = dx * dx + dy * dy
    if speed == 0:
        return t
    return min(1.0, max(0.0, t - (ex * dx + ey * dy) / speed))


def implied(drawn, k):
    """Say whether corner k lies halfway between two control points, where TrueType draws one unasked."""
    (ax, ay, a), (x, y, on), (bx, by, b) = drawn[k - 1], drawn[k], drawn[(k + 1) % len(drawn)]
    return on and not a and not b and ax + bx == 2 * x and ay + by == 2 * y
