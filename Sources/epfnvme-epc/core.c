// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual endpoint controller: the operations of pci-epc-core, what the functions programmed, and
 * the notifications of function drivers. What is behind the controller is a struct vepc_ops: a
 * software link to another machine (link.c), or nothing (hostless.c).
 *
 * Locks: pci-epc-core calls the operations with epc->lock held. A notification runs in event_work
 * without it, because pci-epc-core takes epc->list_lock and the function's lock for it, and the
 * function driver then calls operations, which take epc->lock.
 */

#include <linux/err.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "compat.h"
#include "link_regs.h"
#include "vepc.h"

/* All controllers, for the parameter `state`. */
static LIST_HEAD(controllers);
static DEFINE_MUTEX(controllers_lock);

static struct workqueue_struct *workqueue;

static struct vepc *to_vepc(struct pci_epc *epc)
{
	return epc_get_drvdata(epc);
}

/* pci-epc-core has compared the number with epc->max_functions. */
static struct vepc_function *function_of(struct pci_epc *epc, u8 func)
{
	return &to_vepc(epc)->functions[func];
}

/* ---- What functions program ---- */

static int vepc_write_header(struct pci_epc *epc, u8 func, u8 vfunc, struct pci_epf_header *header)
{
	struct vepc *vepc = to_vepc(epc);
	struct vepc_function *function = function_of(epc, func);
	int status = vepc_fault(vepc, VEPC_WRITE_HEADER);

	if (!status && vepc->ops->write_header)
		status = vepc->ops->write_header(vepc, func, header);
	if (status)
		return status;
	function->header = *header;
	function->has_header = true;
	return 0;
}

static int vepc_set_bar(struct pci_epc *epc, u8 func, u8 vfunc, struct pci_epf_bar *bar)
{
	struct vepc *vepc = to_vepc(epc);
	int status = vepc_fault(vepc, VEPC_SET_BAR);

	if (status)
		return status;
	if (bar->barno < BAR_0 || bar->barno >= PCI_STD_NUM_BARS || !is_power_of_2(bar->size))
		return -EINVAL;
	if (vepc->ops->set_bar) {
		status = vepc->ops->set_bar(vepc, func, bar);
		if (status)
			return status;
	}
	function_of(epc, func)->bars[bar->barno].size = bar->size;
	function_of(epc, func)->bars[bar->barno].flags = bar->flags;
	return 0;
}

static void vepc_clear_bar(struct pci_epc *epc, u8 func, u8 vfunc, struct pci_epf_bar *bar)
{
	struct vepc *vepc = to_vepc(epc);

	if (bar->barno < BAR_0 || bar->barno >= PCI_STD_NUM_BARS)
		return;
	if (vepc->ops->clear_bar)
		vepc->ops->clear_bar(vepc, func, bar->barno);
	function_of(epc, func)->bars[bar->barno].size = 0;
}

static int vepc_set_msi(struct pci_epc *epc, u8 func, u8 vfunc, u8 passed)
{
	struct vepc *vepc = to_vepc(epc);
	/* The capability states a power of two, and that is what a host grants at most. */
	unsigned int count = roundup_pow_of_two(VEPC_MSI_COUNT(passed));
	int status = vepc_fault(vepc, VEPC_SET_MSI);

	if (!status && vepc->ops->set_msi)
		status = vepc->ops->set_msi(vepc, func, count);
	if (!status)
		function_of(epc, func)->msi = count;
	return status;
}

static unsigned int msi_granted(struct vepc *vepc, u8 func)
{
	unsigned int count = vepc->functions[func].msi;

	if (!vepc->ops->msi_granted)
		return count;
	return min(count, vepc->ops->msi_granted(vepc, func));
}

static int vepc_get_msi(struct pci_epc *epc, u8 func, u8 vfunc)
{
	unsigned int count = msi_granted(to_vepc(epc), func);

	return count ? VEPC_MSI_REPLY(count) : -EINVAL;
}

static int vepc_set_msix(struct pci_epc *epc, u8 func, u8 vfunc, u16 passed, enum pci_barno bar,
			 u32 offset)
{
	struct vepc *vepc = to_vepc(epc);
	struct vepc_function *function = function_of(epc, func);
	unsigned int count = VEPC_MSIX_COUNT(passed);
	int status = vepc_fault(vepc, VEPC_SET_MSIX);

	if (!status && vepc->ops->set_msix)
		status = vepc->ops->set_msix(vepc, func, count, bar, offset);
	if (status)
		return status;
	function->msix = count;
	function->msix_bar = bar;
	function->msix_offset = offset;
	return 0;
}

static bool msix_enabled(struct vepc *vepc, u8 func)
{
	return !vepc->ops->msix_enabled || vepc->ops->msix_enabled(vepc, func);
}

static int vepc_get_msix(struct pci_epc *epc, u8 func, u8 vfunc)
{
	unsigned int count = function_of(epc, func)->msix;

	return count && msix_enabled(to_vepc(epc), func) ? VEPC_MSIX_REPLY(count) : -EINVAL;
}

/* ---- What functions do ---- */

#ifdef VEPC_HAVE_ALIGN_ADDR
/* A window leads to whole pages of the link. */
static u64 vepc_align_addr(struct pci_epc *epc, u64 pci_addr, size_t *size, size_t *offset)
{
	*offset = pci_addr & (LINK_PAGE_SIZE - 1);
	*size = ALIGN(*size + *offset, LINK_PAGE_SIZE);
	return pci_addr - *offset;
}
#endif

static int vepc_map_addr(struct pci_epc *epc, u8 func, u8 vfunc, phys_addr_t addr, u64 pci_addr,
			 size_t size)
{
	struct vepc *vepc = to_vepc(epc);
	int status = vepc_fault(vepc, VEPC_MAP_ADDR);

	if (!status && vepc->ops->map_addr)
		status = vepc->ops->map_addr(vepc, func, addr, pci_addr, size);
	return status;
}

static void vepc_unmap_addr(struct pci_epc *epc, u8 func, u8 vfunc, phys_addr_t addr)
{
	struct vepc *vepc = to_vepc(epc);

	if (vepc->ops->unmap_addr)
		vepc->ops->unmap_addr(vepc, func, addr);
}

/*
 * An interrupt that the host has not enabled is an error here, not a message to nowhere: a driver
 * then falls back to INTx, which is what the host's firmware uses.
 */
static int vepc_raise_irq(struct pci_epc *epc, u8 func, u8 vfunc, unsigned int type, u16 number)
{
	struct vepc *vepc = to_vepc(epc);
	int status = vepc_fault(vepc, VEPC_RAISE_IRQ);
	unsigned int count;

	if (status)
		return status;
	switch (type) {
	case PCI_IRQ_INTX:
		if (!vepc->intx)
			return -EINVAL;
		break;
	case PCI_IRQ_MSI:
		count = msi_granted(vepc, func);
		if (!number || number > count)
			return -EINVAL;
		break;
	case PCI_IRQ_MSIX:
		count = msix_enabled(vepc, func) ? function_of(epc, func)->msix : 0;
		if (!number || number > count)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	return vepc->ops->raise_irq ? vepc->ops->raise_irq(vepc, func, type, number) : 0;
}

static const struct pci_epc_features *vepc_get_features(struct pci_epc *epc, u8 func, u8 vfunc)
{
	struct vepc *vepc = to_vepc(epc);

	if (vepc_fault(vepc, VEPC_FEATURES))
		return NULL;
	vepc_describe_features(vepc, &vepc->features);
	return &vepc->features;
}

/* ---- Start and stop ---- */

/* A started controller keeps the module: a host may be using the function. */
static int vepc_start(struct pci_epc *epc)
{
	struct vepc *vepc = to_vepc(epc);
	int status = vepc_fault(vepc, VEPC_START);

	if (status)
		return status;
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	dev_dbg(&epc->dev, "starting the link\n");
	spin_lock(&vepc->lock);
	/* The first event can arrive before the operation returns. */
	vepc->started = true;
	spin_unlock(&vepc->lock);
	if (vepc->ops->start)
		status = vepc->ops->start(vepc);
	if (status) {
		spin_lock(&vepc->lock);
		vepc->started = false;
		spin_unlock(&vepc->lock);
		module_put(THIS_MODULE);
		return status;
	}
	vepc_kick(vepc);
	return 0;
}

/* Returns whether the controller was started. */
static bool stop_link(struct vepc *vepc)
{
	bool started;

	spin_lock(&vepc->lock);
	started = vepc->started;
	vepc->started = false;
	vepc->link_up = false;
	/* Without a link PERST# is not asserted: the next start finds it released. */
	if (!vepc->free_running)
		vepc->perst = false;
	spin_unlock(&vepc->lock);
	if (vepc->ops->stop)
		vepc->ops->stop(vepc);
	return started;
}

/*
 * Ends link training without a notification, as most controllers do: Linux 7.2's nvmet_pci_epf
 * dereferences NULL when a link-down event overtakes the unlink that usually follows.
 *
 * A link-up that is being delivered gets a moment to end, so that it does not overtake the unlink
 * either. The others cannot be waited for: their handlers may want epc->lock, which is held here.
 */
static void vepc_stop(struct pci_epc *epc)
{
	struct vepc *vepc = to_vepc(epc);

	vepc_fault(vepc, VEPC_STOP);
	dev_dbg(&epc->dev, "stopping the link\n");
	if (stop_link(vepc))
		module_put(THIS_MODULE);
	wait_event_timeout(vepc->idle, READ_ONCE(vepc->delivering) != VEPC_LINK_UP, HZ);
}

/* ---- Notifications ---- */

/* Whether an event means anything in the state that the function drivers know. */
static bool is_due(struct vepc *vepc, u32 event)
{
	switch (event) {
	case VEPC_LINK_DOWN:
		return vepc->started && vepc->link_up && vepc_notifies_link();
	case VEPC_PERST_ASSERT:
		return vepc->initialised && (vepc->started || vepc->free_running);
	case VEPC_PERST_DEASSERT:
		/* Announced twice, it would make drivers initialise a living controller. */
		return !vepc->initialised;
	case VEPC_LINK_UP:
		/* No link trains while PERST# is asserted. */
		return vepc->started && vepc->initialised && !vepc->link_up &&
		       vepc_notifies_link();
	default:
		return false;
	}
}

static void deliver(struct vepc *vepc, u32 event)
{
	bool due;

	spin_lock(&vepc->lock);
	if (event == VEPC_PERST_ASSERT || event == VEPC_PERST_DEASSERT)
		vepc->perst = event == VEPC_PERST_ASSERT;
	due = is_due(vepc, event);
	if (due)
		WRITE_ONCE(vepc->delivering, event);
	spin_unlock(&vepc->lock);
	if (!due)
		return;

	switch (event) {
	case VEPC_LINK_DOWN:
		pci_epc_linkdown(vepc->epc);
		break;
	case VEPC_PERST_ASSERT:
		pci_epc_deinit_notify(vepc->epc);
		break;
	case VEPC_PERST_DEASSERT:
		pci_epc_init_notify(vepc->epc);
		break;
	case VEPC_LINK_UP:
		pci_epc_linkup(vepc->epc);
		break;
	}

	spin_lock(&vepc->lock);
	switch (event) {
	case VEPC_PERST_ASSERT:
		vepc->initialised = false;
		fallthrough;
	case VEPC_LINK_DOWN:
		vepc->link_up = false;
		break;
	case VEPC_PERST_DEASSERT:
		vepc->initialised = true;
		break;
	case VEPC_LINK_UP:
		/* Unless it has been stopped meanwhile. */
		vepc->link_up = vepc->started;
		break;
	}
	WRITE_ONCE(vepc->delivering, 0);
	spin_unlock(&vepc->lock);
	wake_up_all(&vepc->idle);
}

/*
 * Events that come together are delivered in the order in which a reset causes them: the link goes
 * down, PERST# is asserted and released, the link comes up again.
 */
static void event_work(struct work_struct *work)
{
	struct vepc *vepc = container_of(work, struct vepc, event_work);
	u32 events = vepc->ops->events(vepc) & VEPC_EVENTS;
	u32 todo = events;

	spin_lock(&vepc->lock);
	/* Stopped under PERST#, and started again. */
	if (vepc->started && !vepc->initialised && !vepc->perst)
		todo |= VEPC_PERST_DEASSERT;
	spin_unlock(&vepc->lock);
	if (vepc->ops->link_is_up(vepc))
		todo |= VEPC_LINK_UP;

	if (todo & VEPC_LINK_DOWN)
		deliver(vepc, VEPC_LINK_DOWN);
	if (todo & VEPC_PERST_ASSERT)
		deliver(vepc, VEPC_PERST_ASSERT);
	if (todo & VEPC_PERST_DEASSERT)
		deliver(vepc, VEPC_PERST_DEASSERT);
	if (todo & VEPC_LINK_UP)
		deliver(vepc, VEPC_LINK_UP);

	if (events && vepc->ops->acknowledge)
		vepc->ops->acknowledge(vepc, events);
}

/**
 * vepc_kick() - look for events
 * @vepc: the controller
 *
 * Context: Any context.
 */
void vepc_kick(struct vepc *vepc)
{
	queue_work(workqueue, &vepc->event_work);
}

/* ---- Registration ---- */

/*
 * No .owner, as controllers in the kernel have none: the controller's directory in configfs would
 * hold a reference for as long as it exists, and the module could never be removed.
 */
static const struct pci_epc_ops vepc_epc_ops = {
	.write_header	= vepc_write_header,
	.set_bar	= vepc_set_bar,
	.clear_bar	= vepc_clear_bar,
#ifdef VEPC_HAVE_ALIGN_ADDR
	.align_addr	= vepc_align_addr,
#endif
	.map_addr	= vepc_map_addr,
	.unmap_addr	= vepc_unmap_addr,
	.set_msi	= vepc_set_msi,
	.get_msi	= vepc_get_msi,
	.set_msix	= vepc_set_msix,
	.get_msix	= vepc_get_msix,
	.raise_irq	= vepc_raise_irq,
	.start		= vepc_start,
	.stop		= vepc_stop,
	.get_features	= vepc_get_features,
};

/**
 * vepc_register() - let function drivers use a controller
 * @vepc: what struct vepc says that the caller sets
 * @parent: the device on whose behalf function drivers allocate a BAR's memory
 *
 * Return: 0 or a negative errno.
 */
int vepc_register(struct vepc *vepc, struct device *parent)
{
	int status;

	vepc->functions = kcalloc(vepc->max_functions, sizeof(*vepc->functions), GFP_KERNEL);
	if (!vepc->functions)
		return -ENOMEM;
	INIT_WORK(&vepc->event_work, event_work);
	init_waitqueue_head(&vepc->idle);
	spin_lock_init(&vepc->lock);
	vepc->initialised = !vepc->perst;

	vepc->epc = pci_epc_create(parent, &vepc_epc_ops);
	if (IS_ERR(vepc->epc)) {
		status = PTR_ERR(vepc->epc);
		goto free_functions;
	}
	epc_set_drvdata(vepc->epc, vepc);
	vepc->epc->max_functions = vepc->max_functions;
	status = pci_epc_mem_init(vepc->epc, vepc->window_base, vepc->window_size, PAGE_SIZE);
	if (status)
		goto destroy;

	mutex_lock(&controllers_lock);
	list_add_tail(&vepc->node, &controllers);
	mutex_unlock(&controllers_lock);
	if (vepc->initialised)
		pci_epc_init_notify(vepc->epc);
	return 0;

destroy:
	pci_epc_destroy(vepc->epc);
free_functions:
	kfree(vepc->functions);
	return status;
}

/**
 * vepc_unregister() - undo vepc_register()
 * @vepc: a controller that no longer calls vepc_kick()
 */
void vepc_unregister(struct vepc *vepc)
{
	mutex_lock(&controllers_lock);
	list_del(&vepc->node);
	mutex_unlock(&controllers_lock);
	/* A device that is unbound or unplugged does not ask whether it is started. */
	if (stop_link(vepc))
		module_put(THIS_MODULE);
	cancel_work_sync(&vepc->event_work);
	pci_epc_mem_exit(vepc->epc);
	pci_epc_destroy(vepc->epc);
	kfree(vepc->functions);
}

/* ---- Evidence ---- */

static int show_function(char *buffer, int length, unsigned int number,
			 const struct vepc_function *function)
{
	const struct pci_epf_header *header = &function->header;

	length += sysfs_emit_at(buffer, length, "function %u %04x:%04x subsystem %04x:%04x",
				number, header->vendorid, header->deviceid,
				header->subsys_vendor_id, header->subsys_id);
	length += sysfs_emit_at(buffer, length, " class %02x%02x%02x revision %02x msi %u",
				header->baseclass_code, header->subclass_code,
				header->progif_code, header->revid, function->msi);
	if (function->msix)
		length += sysfs_emit_at(buffer, length, " msix %u bar %d offset 0x%x",
					function->msix, function->msix_bar, function->msix_offset);
	for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (function->bars[bar].size)
			length += sysfs_emit_at(buffer, length, " bar%d %llu flags 0x%x", bar,
						function->bars[bar].size,
						function->bars[bar].flags);
	return length + sysfs_emit_at(buffer, length, "\n");
}

static int state_get(char *buffer, const struct kernel_param *param)
{
	struct vepc *vepc;
	int length = 0;

	mutex_lock(&controllers_lock);
	list_for_each_entry(vepc, &controllers, node) {
		length += sysfs_emit_at(buffer, length,
					"controller %s started %d link %d initialised %d\n",
					dev_name(vepc->epc->dev.parent), vepc->started,
					vepc->link_up, vepc->initialised);
		for (unsigned int func = 0; func < vepc->max_functions; func++)
			if (vepc->functions[func].has_header)
				length = show_function(buffer, length, func,
						       &vepc->functions[func]);
	}
	mutex_unlock(&controllers_lock);
	return length;
}

static const struct kernel_param_ops state_ops = { .get = state_get };
module_param_cb(state, &state_ops, NULL, 0444);
MODULE_PARM_DESC(state, "what the functions programmed last");

/* ---- The module ---- */

static int __init vepc_init(void)
{
	int status;

	workqueue = alloc_workqueue("epfnvme_epc", WQ_UNBOUND, 0);
	if (!workqueue)
		return -ENOMEM;
	status = vepc_link_init();
	if (status)
		goto destroy;
	status = vepc_hostless_init();
	if (status)
		goto exit_link;
	return 0;

exit_link:
	vepc_link_exit();
destroy:
	destroy_workqueue(workqueue);
	return status;
}
module_init(vepc_init);

static void __exit vepc_exit(void)
{
	vepc_hostless_exit();
	vepc_link_exit();
	destroy_workqueue(workqueue);
}
module_exit(vepc_exit);

MODULE_DESCRIPTION("PCI endpoint controller without hardware, with or without a link to a host");
MODULE_LICENSE("GPL");
