# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The commands of the public how-to on the host, with the profile of the how-to.
for behaviour in $behaviours; do
  options=$(behaviour_options "$behaviour")
  rm -rf files
  mkdir files
  cp "$root/Configs/profiles/null_blk-loop.json" files/howto.json
  if [ "$behaviour" = nvmet_pci_epf ]; then
    # nvmet_pci_epf uses the vendor IDs of the subsystem, but the how-to is older.
    sed -i 's/"model": "Linux-pci-epf",/& "vendorID": "0x15b7", "subsystemVendorID": "0x15b7",/' files/howto.json
  fi
  # shellcheck disable=SC2086 # lists of words
  "$server_program" predict files/howto.json $options $identity --json >files/predicted.json 2>predict.err
  check "$behaviour: a prediction" is_true files/predicted.json '.functions | length == 1'
  # shellcheck disable=SC2086
  serve files/howto.json $options || continue
  boot "$behaviour" howto "behaviour=$behaviour" "options=$options"
  served "$behaviour"
done
