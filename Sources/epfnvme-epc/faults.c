// SPDX-License-Identifier: GPL-2.0
/*
 * What real controllers differ in, and what goes wrong on them, as module parameters of both
 * controllers: one boot meets many boards.
 *
 *   features  msix, msi, intx, linkup_notifier, align, bar0, bar0_fixed_size: taken over whenever a
 *             function driver asks for the controller's features; change them only while no
 *             function is bound. They take features away; they add none that the link lacks.
 *   failures  fail_OPERATION = errno makes the operation fail with -errno until 0 is written
 *   holding   hold = OPERATION blocks the next call of that operation, announced by a line in the
 *             log and in `held`, until something else is written to `hold`: tests kill or race a
 *             tool there without guessing times
 */

#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "compat.h"
#include "vepc.h"

/* A machine whose test forgot to release an operation must still end. */
#define HOLD_LIMIT	(240 * HZ)
#define NONE		(-1)

/* ---- Features ---- */

static bool msix = true;
module_param(msix, bool, 0644);
MODULE_PARM_DESC(msix, "the controllers have MSI-X");

static bool msi = true;
module_param(msi, bool, 0644);
MODULE_PARM_DESC(msi, "the controllers have MSI");

static bool intx = true;
module_param(intx, bool, 0644);
MODULE_PARM_DESC(intx, "the controllers have INTx (Linux 6.15 and later ask for it)");

static bool linkup_notifier = true;
module_param(linkup_notifier, bool, 0644);
MODULE_PARM_DESC(linkup_notifier, "the controllers notify drivers when the link goes up or down");

static unsigned long align = SZ_4K;
module_param(align, ulong, 0644);
MODULE_PARM_DESC(align, "alignment of a BAR's memory in bytes");

static char bar0[16] = "programmable";
module_param_string(bar0, bar0, sizeof(bar0), 0644);
MODULE_PARM_DESC(bar0,
		 "programmable, fixed, resizable, reserved or disabled (the kernel permitting)");

static unsigned long bar0_fixed_size = 128;
module_param(bar0_fixed_size, ulong, 0644);
MODULE_PARM_DESC(bar0_fixed_size, "bytes of BAR 0 if it is fixed");

bool vepc_notifies_link(void)
{
	return READ_ONCE(linkup_notifier);
}

void vepc_describe_features(struct vepc *vepc, struct pci_epc_features *features)
{
	char kind[sizeof(bar0)];

	features->msix_capable = vepc->msix && msix;
	features->msi_capable = vepc->msi && msi;
	vepc_set_intx_capable(features, vepc->intx && intx);
	features->linkup_notifier = linkup_notifier;
	features->align = align;

	/* A value written by echo has a newline. */
	strscpy(kind, bar0, sizeof(kind));
	features->bar[BAR_0].type = vepc_bar_type(strim(kind));
	features->bar[BAR_0].fixed_size =
		features->bar[BAR_0].type == BAR_FIXED ? bar0_fixed_size : 0;
}

/* ---- Failures ---- */

static int failures[VEPC_OPERATIONS];

#define FAILURE(name, operation)						\
	module_param_named(fail_##name, failures[operation], int, 0644);	\
	MODULE_PARM_DESC(fail_##name, "errno with which " #name " fails, 0: it works")

FAILURE(features, VEPC_FEATURES);
FAILURE(write_header, VEPC_WRITE_HEADER);
FAILURE(set_bar, VEPC_SET_BAR);
FAILURE(map_addr, VEPC_MAP_ADDR);
FAILURE(set_msi, VEPC_SET_MSI);
FAILURE(set_msix, VEPC_SET_MSIX);
FAILURE(raise_irq, VEPC_RAISE_IRQ);
FAILURE(start, VEPC_START);

/* ---- Holding ---- */

static const char * const operation_names[VEPC_OPERATIONS] = {
	[VEPC_FEATURES]		= "features",
	[VEPC_WRITE_HEADER]	= "write_header",
	[VEPC_SET_BAR]		= "set_bar",
	[VEPC_MAP_ADDR]		= "map_addr",
	[VEPC_SET_MSI]		= "set_msi",
	[VEPC_SET_MSIX]		= "set_msix",
	[VEPC_RAISE_IRQ]	= "raise_irq",
	[VEPC_START]		= "start",
	[VEPC_STOP]		= "stop",
};

static int hold = NONE;
static int held = NONE;
static DECLARE_WAIT_QUEUE_HEAD(hold_changed);

static int hold_set(const char *text, const struct kernel_param *param)
{
	int operation = sysfs_match_string(operation_names, text);

	/* Any other text releases what is held. */
	WRITE_ONCE(hold, operation < 0 ? NONE : operation);
	wake_up_all(&hold_changed);
	return 0;
}

static int hold_get(char *buffer, const struct kernel_param *param)
{
	int operation = READ_ONCE(*(int *)param->arg);

	return sysfs_emit(buffer, "%s\n", operation == NONE ? "" : operation_names[operation]);
}

static const struct kernel_param_ops hold_ops = { .set = hold_set, .get = hold_get };
static const struct kernel_param_ops held_ops = { .get = hold_get };
module_param_cb(hold, &hold_ops, &hold, 0644);
MODULE_PARM_DESC(hold,
		 "block the next call of an operation: fail_*'s names and stop; none to release it");
module_param_cb(held, &held_ops, &held, 0444);
MODULE_PARM_DESC(held, "the operation that is blocked");

/*
 * Waits as hardware does: not to be interrupted, SIGKILL included. A killed tool dies when its
 * system call returns, and the operation has happened.
 */
static void hold_here(struct vepc *vepc, enum vepc_operation operation)
{
	if (likely(READ_ONCE(hold) != operation))
		return;
	dev_info(&vepc->epc->dev, "holding %s\n", operation_names[operation]);
	WRITE_ONCE(held, operation);
	wait_event_idle_timeout(hold_changed, READ_ONCE(hold) != operation, HOLD_LIMIT);
	WRITE_ONCE(held, NONE);
	dev_info(&vepc->epc->dev, "continuing %s\n", operation_names[operation]);
}

/**
 * vepc_fault() - hold an operation if that is wanted, and say whether it fails
 * @vepc: the controller
 * @operation: the operation that begins
 *
 * Context: Process context. Sleeps while the operation is held.
 * Return: 0, or the negative errno with which the operation has to fail.
 */
int vepc_fault(struct vepc *vepc, enum vepc_operation operation)
{
	hold_here(vepc, operation);
	return -clamp(READ_ONCE(failures[operation]), 0, MAX_ERRNO);
}
