"""Turn fonts into one small TrueType font of the characters that are still missing.

PDF/A viewers and the gateway's own PDF writer want quadratic `glyf` outlines; Debian ships Noto CJK as cubic CFF, and
HanaMin as polygons. The result holds one outline per character, at its default form. Layout, hinting and vertical
tables are left out: the writer sets horizontal text without shaping. The same input gives the same bytes.

usage: convert.py [--earlier FONT.ttf]... [--only RANGES] [--name NAME] OUTPUT.ttf SOURCE[#POSTSCRIPT_NAME]...

Characters of an earlier font are left out, and those outside of RANGES, such as 2252,20000-2EBE0. The first source that
has a character draws it; metrics are the first source's. NAME replaces the source's.
"""

import argparse
import multiprocessing
import sys

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

from simplify import simplify

# Largest distance, in font units of 1/1000 em, between a cubic outline and its quadratic stand-in.
# At 12 pt that is under 0.01 pt.
MAX_ERROR = 0.8

# Polygons are redrawn on a grid of 1/512 em, across a line or curve no further off than one step of it, at their ends one and
# a half: at 12 pt that is 0.035 pt.
GRID, GRID_ERROR = 512, 1.0

# Name records kept: copyright, family, style, unique id, full name, version, PostScript name, trademark, licence, its URL.
NAMES = (0, 1, 2, 3, 4, 5, 6, 7, 13, 14)

# Where tables speak of lengths in font units.
LENGTHS = {
    "hhea": "ascent descent lineGap",
    "post": "underlinePosition underlineThickness",
    "OS/2": "xAvgCharWidth ySubscriptXSize ySubscriptYSize ySubscriptXOffset ySubscriptYOffset ySuperscriptXSize "
    "ySuperscriptYSize ySuperscriptXOffset ySuperscriptYOffset yStrikeoutSize yStrikeoutPosition sTypoAscender "
    "sTypoDescender sTypoLineGap usWinAscent usWinDescent sxHeight sCapHeight",
}


def open_font(source):
    path, _, postscript_name = source.partition("#")
    if not postscript_name:
        return TTFont(path, lazy=True)
    for font in TTCollection(path, lazy=True).fonts:
        if font["name"].getDebugName(6) == postscript_name:
            return font
    sys.exit(f"{path}: no face named {postscript_name}")


def code_points(ranges):
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def converted(font, names):
    """Draw cubic outlines as quadratic ones. CFF contours run anticlockwise, TrueType's clockwise."""
    glyph_set = font.getGlyphSet()
    for name in names:
        pen = TTGlyphPen(None)
        glyph_set[name].draw(Cu2QuPen(pen, MAX_ERROR, reverse_direction=True))
        yield name, pen.glyph()


def redraw(job):
    """Simplify one glyph's polygons. Runs in a process of its own."""
    name, contours, scale = job
    return name, [simplify(c, scale, GRID_ERROR) for c in contours]


def redrawn(font, names):
    table, scale = font["glyf"], GRID / font["head"].unitsPerEm
    jobs = []
    for name in names:
        glyph = table[name]
        coordinates, ends, _ = glyph.getCoordinates(table)
        starts = [0] + [e + 1 for e in ends]
        jobs.append((name, [list(coordinates[a:b]) for a, b in zip(starts, starts[1:])], scale))
    with multiprocessing.Pool() as pool:
        for name, contours in pool.imap(redraw, jobs, chunksize=200):
            pen = TTGlyphPen(None)
            for contour in contours:
                if contour:
                    points(pen, contour)
            yield name, pen.glyph()


def points(pen, contour):
    """Hand a contour to the pen; it begins at a corner."""
    start = next(i for i, p in enumerate(contour) if p[2])
    contour = contour[start:] + contour[:start]
    pen.moveTo(contour[0][:2])
    controls = []
    for x, y, on in contour[1:] + contour[:1]:
        if not on:
            controls.append((x, y))
        elif controls:
            pen.qCurveTo(*controls, (x, y))
            controls = []
        else:
            pen.lineTo((x, y))
    pen.closePath()


def scaled(font, tag, scale):
    table = font[tag]
    for field in LENGTHS.get(tag, "").split():
        if hasattr(table, field):
            setattr(table, field, round(getattr(table, field) * scale))
    return table


def cmap_table(mapping):
    table = newTable("cmap")
    table.tableVersion = 0
    subtable = CmapSubtable.newSubtable(12)
    subtable.platformID, subtable.platEncID, subtable.language = 3, 10, 0
    subtable.cmap = mapping
    table.tables = [subtable]
    return table


def convert(sources, missing, new_name):
    first = sources[0]
    polygons = "glyf" in first
    scale = GRID / first["head"].unitsPerEm if polygons else 1
    cmap, order, glyphs, widths = {}, [], {}, {}
    for number, source in enumerate(sources):
        mapping = {c: g for c, g in sorted(source.getBestCmap().items()) if missing(c) and c not in cmap}
        wanted = set(mapping.values()) | ({".notdef"} if number == 0 else set())
        # Glyphs in the order of their characters lie beside others of the same radical, and pack better.
        listed = [g for g in source.getGlyphOrder() if g in wanted]
        if polygons:
            listed = [g for g in listed if g == ".notdef"] + list(dict.fromkeys(mapping.values()))
        unique = {g: g if number == 0 else f"{g}.{number}" for g in listed}
        cmap |= {c: unique[g] for c, g in mapping.items()}
        for g, glyph in (redrawn if polygons else converted)(source, listed):
            glyphs[unique[g]] = glyph
            widths[unique[g]] = round(source["hmtx"].metrics[g][0] * scale)
        order += unique.values()

    font = TTFont(sfntVersion="\000\001\000\000", recalcTimestamp=False)
    font.setGlyphOrder(order)
    font["head"] = first["head"]
    font["head"].glyphDataFormat = 0
    font["head"].unitsPerEm = GRID if polygons else first["head"].unitsPerEm
    font["glyf"] = newTable("glyf")
    font["glyf"].glyphs = glyphs
    font["glyf"].glyphOrder = order
    font["loca"] = newTable("loca")
    font["hhea"] = scaled(first, "hhea", scale)
    font["hmtx"] = newTable("hmtx")
    for g in order:
        glyphs[g].recalcBounds(font["glyf"])
    font["hmtx"].metrics = {g: (widths[g], getattr(glyphs[g], "xMin", 0)) for g in order}
    font["maxp"] = newTable("maxp")
    font["maxp"].tableVersion = 0x00010000
    for field in (
        "maxZones maxTwilightPoints maxStorage maxFunctionDefs maxInstructionDefs maxStackElements "
        "maxSizeOfInstructions maxComponentElements numGlyphs maxPoints maxContours maxCompositePoints "
        "maxCompositeContours maxComponentDepth"
    ).split():
        setattr(font["maxp"], field, 0)
    font["maxp"].maxZones = 1
    font["cmap"] = cmap_table(dict(sorted(cmap.items())))
    font["OS/2"] = scaled(first, "OS/2", scale)
    font["name"] = first["name"]
    font["name"].names = [n for n in first["name"].names if n.nameID in NAMES and n.langID == 0x409]
    if new_name:
        for n in font["name"].names:
            if n.nameID in (1, 3, 4, 6):
                n.string = new_name
    source_post = scaled(first, "post", scale)
    font["post"] = newTable("post")
    font["post"].formatType = 3.0
    for field in ("italicAngle", "underlinePosition", "underlineThickness", "isFixedPitch"):
        setattr(font["post"], field, getattr(source_post, field))
    for field in ("minMemType42", "maxMemType42", "minMemType1", "maxMemType1"):
        setattr(font["post"], field, 0)
    return font


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--earlier", action="append", default=[])
    parser.add_argument("--only")
    parser.add_argument("--name")
    parser.add_argument("output")
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()
    there = set()
    for path in args.earlier:
        there |= set(TTFont(path, lazy=True).getBestCmap())
    only = set(code_points(args.only)) if args.only else None
    sources = [open_font(s) for s in args.sources]
    convert(sources, lambda c: c not in there and (only is None or c in only), args.name).save(args.output)


if __name__ == "__main__":
    main()
