#!/bin/sh
# Makes the fonts that the gateway embeds, from Debian's packages. Their result is kept in the repository, so that
# `go build` needs none of this; run it to check or renew them. It takes six minutes.
#
#   tools/fonts/make.sh
#
# The same packages give the same fonts: SHA256SUMS in render/fonts names the unpacked ones, for zstd's output may differ
# between versions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../render/fonts
noto=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
hanazono=/usr/share/fonts/truetype/hanazono
doc=/usr/share/doc

if ! /usr/bin/python3 -c 'import fontTools' 2>/dev/null || [ ! -e "$noto" ] || [ ! -e "$hanazono" ] || ! command -v zstd >/dev/null; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
		python3-fonttools fonts-noto-cjk fonts-hanazono zstd >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
convert() { /usr/bin/python3 "$here/convert.py" "$@"; }

convert "$work/NotoSansSC-Regular.ttf" "$noto#NotoSansCJKsc-Regular"
# What is left of level 3: ideographs beyond the BMP, all in HanaMinB, and the sign that two bytes A890 of GB 18030 stand for.
convert --earlier "$work/NotoSansSC-Regular.ttf" --only 2252,20000-2EBE0 --name GlyphWikiMincho \
	"$work/GlyphWikiMincho.ttf" "$hanazono/HanaMinB.ttf" "$hanazono/HanaMinA.ttf"

# The licence texts are Debian's copies, without the indentation and the " ." lines of their file format.
paragraphs() { sed -e 's/^ \.$//' -e 's/^ *//' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
{
	echo 'NotoSansSC-Regular.ttf: Noto Sans CJK SC Regular, version 2.004, https://github.com/notofonts/noto-cjk'
	echo 'Copyright 2014-2021 Adobe (http://www.adobe.com/). Noto is a trademark of Google Inc.'
	echo 'Modified: outlines converted from cubic to quadratic curves; layout, hinting and vertical tables left out.'
	echo
	echo 'This Font Software is licensed under the SIL Open Font License, Version 1.1.'
	echo
	sed -n '/^ SIL OPEN FONT LICENSE/,/^License: GPL/p' "$doc/fonts-noto-cjk/copyright" | sed -e '/^License: /d' | paragraphs
} >"$out/OFL.txt"
grep -q 'SIL OPEN FONT LICENSE Version 1.1' "$out/OFL.txt"
{
	echo 'GlyphWikiMincho.ttf: from HanaMinB and HanaMinA of the Hanazono fonts, version 2017-09-04, http://fonts.jp/hanazono/'
	echo 'All outlines were made by GlyphWiki (http://glyphwiki.org/). They are used under the Hanazono Font License.'
	echo 'Modified: characters that Noto Sans SC has left out; outlines redrawn with fewer points; hinting, layout and vertical'
	echo 'tables left out; renamed.'
	echo
	sed -n '/^ *Hanazono Font License/,/^License: Open-Font-License/p' "$doc/fonts-hanazono/copyright" | sed -e '/^License: /d' | paragraphs
} >"$out/HANAZONO-LICENCE.txt"
grep -q 'Unlimited permission is granted' "$out/HANAZONO-LICENCE.txt"

for font in NotoSansSC-Regular GlyphWikiMincho; do
	/usr/bin/python3 "$here/pack.py" "$work/$font.ttf" "$out/$font.ttf.zst"
done
(cd "$work" && sha256sum ./*.ttf) | sed 's# \./# #' >"$work/sums"
if [ -f "$out/SHA256SUMS" ] && ! cmp -s "$work/sums" "$out/SHA256SUMS"; then
	echo "make.sh: the fonts differ from those in the repository: other package versions?" >&2
	diff "$out/SHA256SUMS" "$work/sums" >&2 || true
fi
cp "$work/sums" "$out/SHA256SUMS"
cat "$out/SHA256SUMS"
ls -l "$out"
