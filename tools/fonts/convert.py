"""Turn one face of an OpenType collection with CFF outlines into a small TrueType font.

PDF/A viewers and the gateway's own PDF writer want quadratic `glyf` outlines; Debian ships Noto CJK as cubic CFF.
The result holds one outline per character that the face maps, at its default form. Layout, hinting and vertical
tables are left out: the writer sets horizontal text without shaping. The same input gives the same bytes.

usage: convert.py COLLECTION POSTSCRIPT_NAME OUTPUT.ttf
"""

import sys

from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

# Largest distance, in font units of 1/1000 em, between a cubic outline and its quadratic stand-in.
# At 12 pt that is under 0.01 pt.
MAX_ERROR = 0.8

# Name records kept: copyright, family, style, unique id, full name, version, PostScript name, trademark, licence, its URL.
NAMES = (0, 1, 2, 3, 4, 5, 6, 7, 13, 14)


def pick(path, postscript_name):
    for font in TTCollection(path, lazy=True).fonts:
        if font["name"].getDebugName(6) == postscript_name:
            return font
    sys.exit(f"{path}: no face named {postscript_name}")


def outline(glyph_set, name):
    pen = TTGlyphPen(None)
    # CFF contours run anticlockwise, TrueType's clockwise.
    glyph_set[name].draw(Cu2QuPen(pen, MAX_ERROR, reverse_direction=True))
    return pen.glyph()


def cmap_table(mapping):
    table = newTable("cmap")
    table.tableVersion = 0
    subtable = CmapSubtable.newSubtable(12)
    subtable.platformID, subtable.platEncID, subtable.language = 3, 10, 0
    subtable.cmap = mapping
    table.tables = [subtable]
    return table


def convert(source):
    cmap = dict(sorted(source.getBestCmap().items()))
    wanted = set(cmap.values()) | {".notdef"}
    order = [g for g in source.getGlyphOrder() if g in wanted]
    glyph_set = source.getGlyphSet()
    glyphs = {g: outline(glyph_set, g) for g in order}

    font = TTFont(sfntVersion="\000\001\000\000", recalcTimestamp=False)
    font.setGlyphOrder(order)
    font["head"] = source["head"]
    font["head"].glyphDataFormat = 0
    font["glyf"] = newTable("glyf")
    font["glyf"].glyphs = glyphs
    font["glyf"].glyphOrder = order
    font["loca"] = newTable("loca")
    font["hhea"] = source["hhea"]
    font["hmtx"] = newTable("hmtx")
    widths = source["hmtx"].metrics
    for g in order:
        glyphs[g].recalcBounds(font["glyf"])
    font["hmtx"].metrics = {g: (widths[g][0], getattr(glyphs[g], "xMin", 0)) for g in order}
    font["maxp"] = newTable("maxp")
    font["maxp"].tableVersion = 0x00010000
    for field in (
        "maxZones maxTwilightPoints maxStorage maxFunctionDefs maxInstructionDefs maxStackElements "
        "maxSizeOfInstructions maxComponentElements numGlyphs maxPoints maxContours maxCompositePoints "
        "maxCompositeContours maxComponentDepth"
    ).split():
        setattr(font["maxp"], field, 0)
    font["maxp"].maxZones = 1
    font["cmap"] = cmap_table(cmap)
    font["OS/2"] = source["OS/2"]
    font["name"] = source["name"]
    font["name"].names = [n for n in source["name"].names if n.nameID in NAMES and n.langID == 0x409]
    font["post"] = newTable("post")
    font["post"].formatType = 3.0
    for field in ("italicAngle", "underlinePosition", "underlineThickness", "isFixedPitch"):
        setattr(font["post"], field, getattr(source["post"], field))
    for field in ("minMemType42", "maxMemType42", "minMemType1", "maxMemType1"):
        setattr(font["post"], field, 0)
    return font


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    convert(pick(sys.argv[1], sys.argv[2])).save(sys.argv[3])


if __name__ == "__main__":
    main()
