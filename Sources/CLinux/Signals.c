// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP as a flag.
#define _GNU_SOURCE
#include "CLinux.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t caught_signal;
static volatile sig_atomic_t signal_count;

static void remember(int number) {
  // The first one is the reason; of more only the number matters.
  if (caught_signal == 0) caught_signal = number;
  if (signal_count < 1000) signal_count = signal_count + 1;
}

void epfnvme_remember_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = remember;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  // nohup ignores it for its program, and that is meant to last.
  struct sigaction hangup;
  if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN) {
    sigaction(SIGHUP, &action, NULL);
  }
  // The parent process may have blocked them, and a mask is inherited.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

int epfnvme_caught_signal(void) { return caught_signal; }

int epfnvme_caught_signal_count(void) { return signal_count; }
