#!/bin/sh
# Makes a file system that holds these programs, all that they load, the licences of that, and an ordinary user.
# Runs while the images are built:  sh collect-root.sh <new folder> <program>...
set -eu
root=$1
shift
mkdir -p "$root"

# A library asked for by name lies elsewhere than it says (/lib is a link on Debian): copied to where it is asked for.
for program in "$@"; do
  cp -L --parents "$program" "$root"
  ldd "$program" | grep -o '/[^ ]*' | while read -r library; do cp -L --parents "$library" "$root"; done
done

find "$root" -type f | sed "s|^$root||" | while read -r file; do
  package=$(dpkg-query --search "$file" 2>/dev/null || dpkg-query --search "/usr$file" 2>/dev/null || :)
  package=${package%%:*}
  if [ -n "$package" ]; then cp -L --parents "/usr/share/doc/$package/copyright" "$root"; fi
done
if [ -e /usr/local/LICENSE ]; then cp --parents /usr/local/LICENSE "$root"; fi

mkdir -p "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'root:x:0:0:root:/:/nonexistent\ndrydock:x:10001:10001:drydock:/tmp:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\ndrydock:x:10001:\n' >"$root/etc/group"
# Names of the pod's own hosts file go before DNS.
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
find "$root" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" '{}' +
