# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh
# `.` has no arguments.
set -- agent
. /lab/files/agent.sh
