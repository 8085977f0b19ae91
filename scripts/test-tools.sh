#!/usr/bin/env bash
# Programs that some tests use, where apt-get may install them; without them these tests are skipped and say so.
set -uo pipefail

packages=(
  systemd-container
  mmdebstrap
  nftables
  iproute2
  chromium
  chromium-driver
)

[[ $EUID -eq 0 ]] && command -v apt-get >/dev/null || exit 0
dpkg-query --show "${packages[@]}" >/dev/null 2>&1 && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
  echo "test-tools: could not install ${packages[*]}; the tests that need them are skipped" >&2
exit 0
