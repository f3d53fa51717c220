// SPDX-License-Identifier: GPL-2.0
/*
 * A PCI endpoint controller without hardware, for the lab.
 *
 * Endpoint function drivers bind to it as they do on a board: it remembers the header, the BARs and the interrupt
 * vectors that they program, and there is no host behind it. What real controllers differ in, and what goes wrong on
 * them, are module parameters, so that one boot of the lab meets many boards:
 *
 *   features  msix, msi, intx, linkup_notifier, align, bar0, bar0_fixed_size: taken over whenever a function driver
 *             asks for the controller's features; change them only while no function is bound
 *   failures  fail_OPERATION = errno makes the operation fail with -errno until 0 is written
 *   holding   hold = OPERATION blocks the next call of that operation, announced by a line in the log and in `held`,
 *             until something else is written to `hold`: tests kill or race a tool there without guessing times
 *   events    link = 0|1 and init = 0|1 tell the functions what a host's power-up and PERST# would
 *   evidence  state: what was programmed
 *
 * Written for Linux 7.2; builds on 6.12, where function drivers' needs are the same and some fields are missing.
 */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci-epc.h>
#include <linux/pci-epf.h>
#include <linux/platform_device.h>
#include <linux/version.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define MAX_CONTROLLERS	2
#define MAX_FUNCTIONS	8
#define HOLD_LIMIT	(240 * HZ)	/* a lab whose test forgot to release must still end */

/* The second one exists to make `controller: auto` ambiguous. */
static const char * const controller_names[MAX_CONTROLLERS] = {
	"a40000000.pcie-ep", "a41000000.pcie-ep",
};

/* What a function driver programmed; index is the function number. */
struct vepc_function {
	struct pci_epf_header header;
	bool has_header;
	struct pci_epf_bar bars[PCI_STD_NUM_BARS];
	unsigned int msi, msix;
	u32 msix_offset;
	enum pci_barno msix_bar;
	unsigned long interrupts;
};

struct vepc {
	struct pci_epc *epc;
	struct pci_epc_features features;
	struct vepc_function functions[MAX_FUNCTIONS];
	struct work_struct link_work;
	bool started, initialised;
	bool link_wanted, link_up;
};

/* The controllers, for the parameters that speak to all of them; vepc_lock guards the list, not what is in it. */
static struct platform_device *devices[MAX_CONTROLLERS];
static struct vepc *vepcs[MAX_CONTROLLERS];
static DEFINE_MUTEX(vepc_lock);

/* ---- Parameters ---- */

static unsigned int controllers = 1;
module_param(controllers, uint, 0444);
MODULE_PARM_DESC(controllers, "how many controllers there are (1 or 2)");

static unsigned long window_base = 0x10000000;
module_param(window_base, ulong, 0444);
MODULE_PARM_DESC(window_base, "outbound windows: physical memory that the command line reserves (memmap=16M$0x10000000)");

static unsigned long window_size = 0x800000;
module_param(window_size, ulong, 0444);
MODULE_PARM_DESC(window_size, "bytes of outbound window for each controller");

static unsigned int max_functions = 1;
module_param(max_functions, uint, 0444);

static bool late_init;
module_param(late_init, bool, 0444);
MODULE_PARM_DESC(late_init, "do not announce initialisation at probe, as controllers that wait for PERST# do");

static bool msix = true;
module_param(msix, bool, 0644);
static bool msi = true;
module_param(msi, bool, 0644);
static bool intx = true;
module_param(intx, bool, 0644);
static bool linkup_notifier = true;
module_param(linkup_notifier, bool, 0644);
static unsigned long align = 4096;
module_param(align, ulong, 0644);

static char bar0[16] = "programmable";
module_param_string(bar0, bar0, sizeof(bar0), 0644);
MODULE_PARM_DESC(bar0, "programmable, fixed, resizable, reserved or disabled (the kernel permitting)");
static unsigned long bar0_fixed_size = 128;
module_param(bar0_fixed_size, ulong, 0644);

/* One errno a name; 0 means that the operation works. */
#define FAILURE(name) \
	static int fail_##name; \
	module_param(fail_##name, int, 0644)

FAILURE(features);		/* any non-zero value: there are no features */
FAILURE(write_header);
FAILURE(set_bar);
FAILURE(map_addr);
FAILURE(set_msi);
FAILURE(set_msix);
FAILURE(start);

/* ---- Holding an operation ---- */

static char hold[24];
static char held[24];
static DECLARE_WAIT_QUEUE_HEAD(hold_changed);

static int hold_set(const char *text, const struct kernel_param *param)
{
	strscpy(hold, text, sizeof(hold));
	strim(hold);
	wake_up_all(&hold_changed);
	return 0;
}

static int hold_get(char *buffer, const struct kernel_param *param)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", (const char *)param->arg);
}

static const struct kernel_param_ops hold_ops = { .set = hold_set, .get = hold_get };
static const struct kernel_param_ops held_ops = { .get = hold_get };
module_param_cb(hold, &hold_ops, hold, 0644);
MODULE_PARM_DESC(hold, "block the next call of: features write_header set_bar set_msi set_msix start stop");
module_param_cb(held, &held_ops, held, 0444);

/*
 * Waits as hardware does: not to be interrupted, SIGKILL included. A killed tool dies when its system call returns,
 * and the operation has happened.
 */
static void hold_here(struct pci_epc *epc, const char *operation)
{
	if (strcmp(hold, operation))
		return;
	dev_info(&epc->dev, "holding %s\n", operation);
	strscpy(held, operation, sizeof(held));
	wait_event_idle_timeout(hold_changed, strcmp(hold, operation), HOLD_LIMIT);
	held[0] = '\0';
	dev_info(&epc->dev, "continuing %s\n", operation);
}

/* ---- Controller operations ---- */

static struct vepc *to_vepc(struct pci_epc *epc)
{
	return epc_get_drvdata(epc);
}

static struct vepc_function *function_of(struct pci_epc *epc, u8 number)
{
	return &to_vepc(epc)->functions[number % MAX_FUNCTIONS];
}

static int vepc_write_header(struct pci_epc *epc, u8 func, u8 vfunc, struct pci_epf_header *header)
{
	struct vepc_function *function = function_of(epc, func);

	hold_here(epc, "write_header");
	if (fail_write_header)
		return -fail_write_header;
	function->header = *header;
	function->has_header = true;
	return 0;
}

static int vepc_set_bar(struct pci_epc *epc, u8 func, u8 vfunc, struct pci_epf_bar *bar)
{
	hold_here(epc, "set_bar");
	if (fail_set_bar)
		return -fail_set_bar;
	function_of(epc, func)->bars[bar->barno] = *bar;
	return 0;
}

static void vepc_clear_bar(struct pci_epc *epc, u8 func, u8 vfunc, struct pci_epf_bar *bar)
{
	memset(&function_of(epc, func)->bars[bar->barno], 0, sizeof(*bar));
}

/* There is no host memory: a mapping succeeds and leads into the reserved window itself. */
static int vepc_map_addr(struct pci_epc *epc, u8 func, u8 vfunc, phys_addr_t addr, u64 pci_addr, size_t size)
{
	return -fail_map_addr;
}

static void vepc_unmap_addr(struct pci_epc *epc, u8 func, u8 vfunc, phys_addr_t addr)
{
}

/*
 * Until 6.16 the core passed vector counts as the capability registers encode them (MSI: a power of two, MSI-X: one
 * less, which the long-term 6.12 stopped with 6.12.91) and decoded what the controller returned. Only the size shown in
 * `state` depends on it.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define MSI_COUNT(passed)	(passed)
#define MSI_REPLY(count)	(count)
#define MSIX_REPLY(count)	(count)
#else
#define MSI_COUNT(passed)	(1u << (passed))
#define MSI_REPLY(count)	order_base_2(count)
#define MSIX_REPLY(count)	((count) - 1)
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0) || \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 91) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0))
#define MSIX_COUNT(passed)	(passed)
#else
#define MSIX_COUNT(passed)	((passed) + 1u)
#endif

static int vepc_set_msi(struct pci_epc *epc, u8 func, u8 vfunc, u8 count)
{
	hold_here(epc, "set_msi");
	if (fail_set_msi)
		return -fail_set_msi;
	function_of(epc, func)->msi = MSI_COUNT(count);
	return 0;
}

static int vepc_get_msi(struct pci_epc *epc, u8 func, u8 vfunc)
{
	unsigned int count = function_of(epc, func)->msi;

	return count ? MSI_REPLY(count) : -EINVAL;
}

static int vepc_set_msix(struct pci_epc *epc, u8 func, u8 vfunc, u16 count, enum pci_barno bar, u32 offset)
{
	struct vepc_function *function = function_of(epc, func);

	hold_here(epc, "set_msix");
	if (fail_set_msix)
		return -fail_set_msix;
	function->msix = MSIX_COUNT(count);
	function->msix_bar = bar;
	function->msix_offset = offset;
	return 0;
}

static int vepc_get_msix(struct pci_epc *epc, u8 func, u8 vfunc)
{
	unsigned int count = function_of(epc, func)->msix;

	return count ? MSIX_REPLY(count) : -EINVAL;
}

static int vepc_raise_irq(struct pci_epc *epc, u8 func, u8 vfunc, unsigned int type, u16 number)
{
	function_of(epc, func)->interrupts++;
	return 0;
}

/*
 * Links come and go by interrupt on hardware, and from a worker here: start and stop are called with epc->lock held,
 * which function drivers want when they are told. No link trains while PERST# is asserted: a controller that waits for it
 * comes up after it has announced its initialisation, never before.
 */
static void link_work(struct work_struct *work)
{
	struct vepc *vepc = container_of(work, struct vepc, link_work);

	if (vepc->link_wanted == vepc->link_up || !vepc->initialised)
		return;
	if (vepc->link_wanted)
		pci_epc_linkup(vepc->epc);
	else
		pci_epc_linkdown(vepc->epc);
	vepc->link_up = vepc->link_wanted;
}

static void change_link(struct vepc *vepc, bool up)
{
	if (!linkup_notifier)
		return;
	vepc->link_wanted = up;
	schedule_work(&vepc->link_work);
}

static int vepc_start(struct pci_epc *epc)
{
	struct vepc *vepc = to_vepc(epc);

	hold_here(epc, "start");
	if (fail_start)
		return -fail_start;
	dev_dbg(&epc->dev, "starting the link\n");
	vepc->started = true;
	change_link(vepc, true);
	return 0;
}

/*
 * Ends link training without a notification, as most controllers do: Linux 7.2's nvmet_pci_epf dereferences NULL when a
 * link-down event overtakes the unlink that usually follows. `link` sends that event for who wants it.
 */
static void vepc_stop(struct pci_epc *epc)
{
	struct vepc *vepc = to_vepc(epc);

	hold_here(epc, "stop");
	dev_dbg(&epc->dev, "stopping the link\n");
	cancel_work_sync(&vepc->link_work);
	vepc->started = false;
	vepc->link_wanted = false;
	vepc->link_up = false;
}

static void describe_bar0(struct pci_epc_bar_desc *bar)
{
	char kind[sizeof(bar0)];

	strscpy(kind, bar0, sizeof(kind));
	strim(kind);
	bar->type = BAR_PROGRAMMABLE;
	bar->fixed_size = 0;
	if (!strcmp(kind, "fixed")) {
		bar->type = BAR_FIXED;
		bar->fixed_size = bar0_fixed_size;
	} else if (!strcmp(kind, "reserved")) {
		bar->type = BAR_RESERVED;
	}
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	else if (!strcmp(kind, "resizable"))
		bar->type = BAR_RESIZABLE;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	else if (!strcmp(kind, "disabled"))
		bar->type = BAR_DISABLED;
#endif
}

static const struct pci_epc_features *vepc_get_features(struct pci_epc *epc, u8 func, u8 vfunc)
{
	struct pci_epc_features *features = &to_vepc(epc)->features;

	hold_here(epc, "features");
	if (fail_features)
		return NULL;
	features->msix_capable = msix;
	features->msi_capable = msi;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	features->intx_capable = intx;
#endif
	features->linkup_notifier = linkup_notifier;
	features->align = align;
	describe_bar0(&features->bar[BAR_0]);
	return features;
}

/*
 * No .owner: the controller's directory in configfs would hold a reference for as long as it exists, and the module
 * could never be removed. The lab removes it, with nothing linked, to be a machine without a controller.
 */
static const struct pci_epc_ops vepc_ops = {
	.write_header	= vepc_write_header,
	.set_bar	= vepc_set_bar,
	.clear_bar	= vepc_clear_bar,
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

/* ---- Events on demand, evidence ---- */

enum event { EVENT_LINK, EVENT_INIT };

static int event_set(const char *text, const struct kernel_param *param)
{
	enum event event = (uintptr_t)param->arg;
	bool on;
	int status = kstrtobool(text, &on);

	if (status)
		return status;
	mutex_lock(&vepc_lock);
	for (int i = 0; i < MAX_CONTROLLERS; i++) {
		struct vepc *vepc = vepcs[i];

		if (!vepc)
			continue;
		if (event == EVENT_LINK) {
			change_link(vepc, on);
			flush_work(&vepc->link_work);
		} else if (on != vepc->initialised) {
			/* Announcing it twice would make the drivers initialise a living controller again. */
			if (on) {
				pci_epc_init_notify(vepc->epc);
				vepc->initialised = true;
				schedule_work(&vepc->link_work);
			} else {
				cancel_work_sync(&vepc->link_work);
				vepc->initialised = false;
				vepc->link_up = false;
				pci_epc_deinit_notify(vepc->epc);
			}
		}
	}
	mutex_unlock(&vepc_lock);
	return 0;
}

static const struct kernel_param_ops event_ops = { .set = event_set };
module_param_cb(link, &event_ops, (void *)EVENT_LINK, 0200);
MODULE_PARM_DESC(link, "1: the host trained the link, 0: the link is down (with the linkup_notifier feature)");
module_param_cb(init, &event_ops, (void *)EVENT_INIT, 0200);
MODULE_PARM_DESC(init, "1: the host released PERST#, 0: it asserted PERST#");

static int show_function(char *buffer, size_t room, int number, const struct vepc_function *function)
{
	const struct pci_epf_header *header = &function->header;
	int length;

	length = scnprintf(buffer, room, "function %d %04x:%04x subsystem %04x:%04x class %02x%02x%02x revision %02x msi %u",
			   number, header->vendorid, header->deviceid, header->subsys_vendor_id, header->subsys_id,
			   header->baseclass_code, header->subclass_code, header->progif_code, header->revid,
			   function->msi);
	if (function->msix)
		length += scnprintf(buffer + length, room - length, " msix %u bar %d offset 0x%x", function->msix,
				    function->msix_bar, function->msix_offset);
	for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (function->bars[bar].size)
			length += scnprintf(buffer + length, room - length, " bar%d %llu flags 0x%x", bar,
					    (unsigned long long)function->bars[bar].size, function->bars[bar].flags);
	return length + scnprintf(buffer + length, room - length, "\n");
}

static int state_get(char *buffer, const struct kernel_param *param)
{
	int length = 0;

	mutex_lock(&vepc_lock);
	for (int i = 0; i < MAX_CONTROLLERS; i++) {
		struct vepc *vepc = vepcs[i];

		if (!vepc)
			continue;
		length += scnprintf(buffer + length, PAGE_SIZE - length, "controller %s started %d link %d initialised %d\n",
				    controller_names[i], vepc->started, vepc->link_up, vepc->initialised);
		for (int number = 0; number < MAX_FUNCTIONS; number++)
			if (vepc->functions[number].has_header)
				length += show_function(buffer + length, PAGE_SIZE - length, number,
							&vepc->functions[number]);
	}
	mutex_unlock(&vepc_lock);
	return length;
}

static const struct kernel_param_ops state_ops = { .get = state_get };
module_param_cb(state, &state_ops, NULL, 0444);
MODULE_PARM_DESC(state, "what the functions programmed last");

/* ---- The platform devices ---- */

static int vepc_probe(struct platform_device *device)
{
	int index = *(int *)dev_get_platdata(&device->dev);
	struct vepc *vepc = devm_kzalloc(&device->dev, sizeof(*vepc), GFP_KERNEL);
	int status;

	if (!vepc)
		return -ENOMEM;
	/* Function drivers allocate the BARs' memory on behalf of this device. */
	status = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (status)
		return status;
	INIT_WORK(&vepc->link_work, link_work);
	vepc->epc = devm_pci_epc_create(&device->dev, &vepc_ops);
	if (IS_ERR(vepc->epc))
		return PTR_ERR(vepc->epc);
	vepc->epc->max_functions = clamp(max_functions, 1u, (unsigned int)MAX_FUNCTIONS);
	epc_set_drvdata(vepc->epc, vepc);
	status = pci_epc_mem_init(vepc->epc, window_base + index * window_size, window_size, PAGE_SIZE);
	if (status)
		return status;
	platform_set_drvdata(device, vepc);
	mutex_lock(&vepc_lock);
	vepcs[index] = vepc;
	mutex_unlock(&vepc_lock);
	if (!late_init) {
		vepc->initialised = true;
		pci_epc_init_notify(vepc->epc);
	}
	return 0;
}

static void vepc_remove(struct platform_device *device)
{
	struct vepc *vepc = platform_get_drvdata(device);

	mutex_lock(&vepc_lock);
	vepcs[*(int *)dev_get_platdata(&device->dev)] = NULL;
	mutex_unlock(&vepc_lock);
	cancel_work_sync(&vepc->link_work);
	pci_epc_mem_exit(vepc->epc);
}

static const struct platform_device_id vepc_ids[] = {
	{ .name = "a40000000.pcie-ep" }, { .name = "a41000000.pcie-ep" }, { }
};

static struct platform_driver vepc_driver = {
	.driver = { .name = "virtual-epc" },
	.id_table = vepc_ids,
	.probe = vepc_probe,
	.remove = vepc_remove,
};

static void remove_devices(void)
{
	for (int i = 0; i < MAX_CONTROLLERS; i++)
		platform_device_unregister(devices[i]);
}

static int __init vepc_init(void)
{
	int status;

	controllers = clamp(controllers, 1u, (unsigned int)MAX_CONTROLLERS);
	status = platform_driver_register(&vepc_driver);
	if (status)
		return status;
	for (int i = 0; i < controllers; i++) {
		struct platform_device *device;

		device = platform_device_register_data(NULL, controller_names[i], PLATFORM_DEVID_NONE, &i, sizeof(i));
		if (IS_ERR(device)) {
			remove_devices();
			platform_driver_unregister(&vepc_driver);
			return PTR_ERR(device);
		}
		devices[i] = device;
	}
	return 0;
}

static void __exit vepc_exit(void)
{
	remove_devices();
	platform_driver_unregister(&vepc_driver);
}

module_init(vepc_init);
module_exit(vepc_exit);
MODULE_DESCRIPTION("PCI endpoint controller without hardware");
MODULE_LICENSE("GPL");
