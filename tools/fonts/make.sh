#!/bin/sh
# Makes the fonts that the gateway embeds, from Debian's packages. Their result is kept in the repository, so that
# `go build` needs none of this; run it to check or renew them.
#
#   apt-get install python3-fonttools fonts-noto-cjk
#   tools/fonts/make.sh
#
# The same packages give the same fonts: SHA256SUMS in render/fonts names the uncompressed ones, for zlib's output
# may differ between versions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../render/fonts
source=/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
copyright=/usr/share/doc/fonts-noto-cjk/copyright
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

/usr/bin/python3 "$here/convert.py" "$source" NotoSansCJKsc-Regular "$work/NotoSansSC-Regular.ttf"

# The licence text is Debian's copy, without the indentation and the " ." lines of its file format.
{
	echo 'NotoSansSC-Regular.ttf: Noto Sans CJK SC Regular, version 2.004, https://github.com/notofonts/noto-cjk'
	echo 'Copyright 2014-2021 Adobe (http://www.adobe.com/). Noto is a trademark of Google Inc.'
	echo 'Modified: outlines converted from cubic to quadratic curves; layout, hinting and vertical tables left out.'
	echo
	echo 'This Font Software is licensed under the SIL Open Font License, Version 1.1.'
	echo
	sed -n '/^ SIL OPEN FONT LICENSE/,/^License: GPL/p' "$copyright" | sed -e '/^License: /d' -e 's/^ \.$//' -e 's/^ //' |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
} >"$out/OFL.txt"
grep -q 'SIL OPEN FONT LICENSE Version 1.1' "$out/OFL.txt"

gzip -9 -n -c "$work/NotoSansSC-Regular.ttf" >"$out/NotoSansSC-Regular.ttf.gz"
(cd "$work" && sha256sum ./*.ttf) | sed 's# \./# #' >"$work/sums"
if [ -f "$out/SHA256SUMS" ] && ! cmp -s "$work/sums" "$out/SHA256SUMS"; then
	echo "make.sh: the fonts differ from those in the repository: other package versions?" >&2
	diff "$out/SHA256SUMS" "$work/sums" >&2 || true
fi
cp "$work/sums" "$out/SHA256SUMS"
cat "$out/SHA256SUMS"
ls -l "$out"
