// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <libkmod.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// The messages of libkmod, one per line. In C because va_list has a different Swift type on every architecture.
struct epfnvme_kmod_messages {
  size_t length;
  char text[4096];
};

static inline void epfnvme_kmod_append(void *data, int priority, const char *file, int line,
                                       const char *function, const char *format, va_list arguments) {
  struct epfnvme_kmod_messages *messages = (struct epfnvme_kmod_messages *)data;
  size_t room = sizeof messages->text - messages->length;
  int written = vsnprintf(messages->text + messages->length, room, format, arguments);
  (void)priority, (void)file, (void)line, (void)function;
  if (written > 0) messages->length += (size_t)written < room ? (size_t)written : room - 1;
}

/// Collects libkmod's messages instead of letting it write to stderr.
static inline void epfnvme_kmod_collect(struct kmod_ctx *context,
                                        struct epfnvme_kmod_messages *messages) {
  memset(messages, 0, sizeof *messages);
  kmod_set_log_fn(context, epfnvme_kmod_append, messages);
}

/// The collected text.
static inline const char *epfnvme_kmod_text(const struct epfnvme_kmod_messages *messages) {
  return messages->text;
}
