#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of a machine with the lab's kernel: the board, or the host of pci-epf-test. It does what the agents are told.
. /lab/boot.sh
cd /tmp || exit
# The other machine's way to this one, in place of ssh.
sh /lab/agent.sh peer >/dev/null 2>&1 &
sh /lab/agent.sh agent >/tmp/stray 2>&1
poweroff -f
