#!/bin/sh
# Is a machine from its first moment to its last. It runs in a mount and a network namespace of its own: when all its
# processes have ended, however that came, the kernel takes the mounts and the network away.
#
# launcher.sh DISK IMAGE CGROUP NAME IP GATEWAY [further arguments of systemd-nspawn]
#
# It says `ready` when it has its namespaces, and waits for a line that says that the network is laid.
set -eu

disk=$1 image=$2 cgroup=$3 name=$4 ip=$5 gateway=$6
shift 6

# A control group of its own holds everything that the machine ever starts, and is how it is ended.
mkdir -p "$cgroup/launcher" "$cgroup/machine"
echo 0 >"$cgroup/launcher/cgroup.procs"

# Some file systems, an overlay among them, cannot carry an overlay; there the machine gets a copy of the image.
if ! mount -t overlay overlay -o "lowerdir=$image,upperdir=$disk/nspawn,workdir=$disk/work" "$disk/root"; then
  if [ ! -e "$disk/copied" ]; then
    cp -a --reflink=auto "$image/." "$disk/root/"
    cp -a "$disk/nspawn/." "$disk/root/"
    touch "$disk/copied"
  fi
  mount --bind "$disk/root" "$disk/root"
fi

echo ready
# The local cloud may have been killed: then there is no line, and nothing is started.
read -r go
[ "$go" = connected ]
exec </dev/null >>"$disk/console.log" 2>&1

ip link set lo up
ip address add "$ip/32" dev eth0
ip link set eth0 up
ip route add "$gateway" dev eth0
ip route add default via "$gateway"

# systemd-nspawn ends with 133 when the machine wants to be rebooted (its manual, --keep-unit).
while :; do
  status=0
  (
    echo 0 >"$cgroup/machine/cgroup.procs"
    exec systemd-nspawn --quiet --boot --directory="$disk/root" --machine="$name" \
      --register=no --keep-unit --network-namespace-path=/proc/self/ns/net \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe "$@"
  ) || status=$?
  [ "$status" -eq 133 ] || exit "$status"
done
