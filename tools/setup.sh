#!/bin/sh
# Installs what tests and demo need beyond Go, gcc, git and curl, on Debian. Does nothing when all is there.
set -eu
missing=
need() { # need COMMAND-OR-FILE PACKAGE
	command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}
need /usr/lib/postgresql/15/bin/postgres postgresql-15
need redis-server redis-server
need chromium chromium
need pdftotext poppler-utils
need qpdf qpdf
need mutool mupdf-tools
need zbarimg zbar-tools
need javac default-jdk-headless
need /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
need /usr/share/java/pdfbox2.jar libpdfbox2-java
need /usr/share/java/bcpkix.jar libbcpkix-java
[ -z "$missing" ] && exit 0
echo "installing:$missing"
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
