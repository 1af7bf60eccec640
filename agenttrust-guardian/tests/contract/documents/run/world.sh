# Makes the world of a document and runs its script there: bash -eu, in namespaces of its own.
#
# Its root is this machine's, with all changes kept in memory beside it; so useradd, createuser and whatever writes to
# /etc or /var do what they do. It has a network of its own, in which every port is free and nothing else is reached.

at=$WORLD/memory
mkdir "$at"
mount -t tmpfs tmpfs "$at"
mkdir "$at"/{changed,work,root}
root=$at/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/changed,workdir=$at/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"

# What may be on another file system, or in another place: what is built, the repository, and where we are listened to.
for folder in "$REPOSITORY" "$BUILT"; do
    mkdir -p "$root$folder"
    mount --bind -o ro "$folder" "$root$folder"
done
mkdir -p "$root$WORLD"
mount --bind "$WORLD" "$root$WORLD"
touch "$root/usr/local/bin/agenttrust"
mount --bind "$PROGRAM" "$root/usr/local/bin/agenttrust"

ip link set lo up
here=$REPOSITORY/agenttrust-guardian/tests/contract/documents/run
exec chroot "$root" bash -c '. "$0"' "$here/stand_ins.sh" >> "$WORLD/said" 2>&1
