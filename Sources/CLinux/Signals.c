// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP as a flag.
#define _GNU_SOURCE
#include "CLinux.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t caught_signal;

static void remember(int number) { caught_signal = number; }

void epfnvme_remember_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = remember;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  // Whoever started us may have blocked them, and a mask is inherited.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

int epfnvme_caught_signal(void) { return caught_signal; }
