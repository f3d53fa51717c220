// SPDX-License-Identifier: GPL-2.0
/*
 * Endpoint controllers without a host. Function drivers bind to them as they do on a board; the
 * controllers remember what they program, and there is nothing on the other side. Two parameters
 * tell the functions what a host's power-up and PERST# would: link = 0|1 and init = 0|1.
 */

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "vepc.h"

#define MAX_CONTROLLERS	2u
#define MAX_FUNCTIONS	8u

/* Names as on an RK3588. The second one makes it ambiguous which controller is meant. */
static const char * const names[MAX_CONTROLLERS] = {
	"a40000000.pcie-ep", "a41000000.pcie-ep",
};

static unsigned int controllers;
module_param(controllers, uint, 0444);
MODULE_PARM_DESC(controllers, "how many controllers without a host there are (0 to 2)");

static unsigned long window_base = 0x10000000;
module_param(window_base, ulong, 0444);
MODULE_PARM_DESC(window_base,
		 "without a host: outbound windows, memory that memmap=16M$0x10000000 reserves");

static unsigned long window_size = SZ_8M;
module_param(window_size, ulong, 0444);
MODULE_PARM_DESC(window_size, "without a host: bytes of outbound window of each controller");

static unsigned int max_functions = 1;
module_param(max_functions, uint, 0444);
MODULE_PARM_DESC(max_functions, "without a host: functions of each controller (1 to 8)");

static bool late_init;
module_param(late_init, bool, 0444);
MODULE_PARM_DESC(late_init,
		 "without a host: PERST# is asserted at first, until 1 is written to init");

/**
 * struct hostless - a controller without a host
 * @vepc: the controller
 * @pending: events that a parameter caused
 * @trained: the host that does not exist has trained the link
 */
struct hostless {
	struct vepc	vepc;
	atomic_t	pending;
	bool		trained;
};

static struct platform_device *devices[MAX_CONTROLLERS];

/* Entries are set while a driver is bound. */
static struct hostless *instances[MAX_CONTROLLERS];
static DEFINE_MUTEX(instances_lock);

static struct hostless *to_hostless(struct vepc *vepc)
{
	return container_of(vepc, struct hostless, vepc);
}

/*
 * A mapping leads into the reserved memory itself, so that a driver's reads and writes do no harm:
 * there is no map_addr.
 */
static int hostless_start(struct vepc *vepc)
{
	WRITE_ONCE(to_hostless(vepc)->trained, true);
	return 0;
}

static void hostless_stop(struct vepc *vepc)
{
	WRITE_ONCE(to_hostless(vepc)->trained, false);
}

static u32 hostless_events(struct vepc *vepc)
{
	return atomic_xchg(&to_hostless(vepc)->pending, 0);
}

static bool hostless_link_is_up(struct vepc *vepc)
{
	return READ_ONCE(to_hostless(vepc)->trained);
}

static const struct vepc_ops hostless_ops = {
	.start		= hostless_start,
	.stop		= hostless_stop,
	.events		= hostless_events,
	.link_is_up	= hostless_link_is_up,
};

/* ---- Events on demand ---- */

/*
 * Returns when the function drivers have been told. That can take long, when an operation that they
 * call is held; meanwhile the other parameters must work.
 */
static void cause(u32 event)
{
	kernel_param_unlock(THIS_MODULE);
	mutex_lock(&instances_lock);
	for (unsigned int i = 0; i < MAX_CONTROLLERS; i++) {
		struct hostless *hostless = instances[i];

		if (!hostless)
			continue;
		if (event & (VEPC_LINK_UP | VEPC_LINK_DOWN))
			WRITE_ONCE(hostless->trained, event == VEPC_LINK_UP);
		atomic_or(event, &hostless->pending);
		vepc_kick(&hostless->vepc);
		flush_work(&hostless->vepc.event_work);
	}
	mutex_unlock(&instances_lock);
	kernel_param_lock(THIS_MODULE);
}

static int link_set(const char *text, const struct kernel_param *param)
{
	bool up;
	int status = kstrtobool(text, &up);

	if (!status)
		cause(up ? VEPC_LINK_UP : VEPC_LINK_DOWN);
	return status;
}

static int init_set(const char *text, const struct kernel_param *param)
{
	bool released;
	int status = kstrtobool(text, &released);

	if (!status)
		cause(released ? VEPC_PERST_DEASSERT : VEPC_PERST_ASSERT);
	return status;
}

static const struct kernel_param_ops link_ops = { .set = link_set };
static const struct kernel_param_ops init_ops = { .set = init_set };
module_param_cb(link, &link_ops, NULL, 0200);
MODULE_PARM_DESC(link, "without a host: 1: the host trained the link, 0: the link is down");
module_param_cb(init, &init_ops, NULL, 0200);
MODULE_PARM_DESC(init, "without a host: 1: the host released PERST#, 0: it asserted PERST#");

/* ---- The platform devices ---- */

static int hostless_probe(struct platform_device *device)
{
	unsigned int index = *(unsigned int *)dev_get_platdata(&device->dev);
	struct hostless *hostless;
	int status;

	hostless = devm_kzalloc(&device->dev, sizeof(*hostless), GFP_KERNEL);
	if (!hostless)
		return -ENOMEM;
	/* Function drivers allocate the BARs' memory on behalf of this device. */
	status = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (status)
		return status;
	hostless->vepc.ops = &hostless_ops;
	hostless->vepc.msix = true;
	hostless->vepc.msi = true;
	hostless->vepc.intx = true;
	hostless->vepc.free_running = true;
	hostless->vepc.perst = late_init;
	hostless->vepc.max_functions = clamp(max_functions, 1u, MAX_FUNCTIONS);
	hostless->vepc.window_base = window_base + index * window_size;
	hostless->vepc.window_size = window_size;
	status = vepc_register(&hostless->vepc, &device->dev);
	if (status)
		return status;
	platform_set_drvdata(device, hostless);
	mutex_lock(&instances_lock);
	instances[index] = hostless;
	mutex_unlock(&instances_lock);
	return 0;
}

static void hostless_remove(struct platform_device *device)
{
	struct hostless *hostless = platform_get_drvdata(device);

	mutex_lock(&instances_lock);
	instances[*(unsigned int *)dev_get_platdata(&device->dev)] = NULL;
	mutex_unlock(&instances_lock);
	vepc_unregister(&hostless->vepc);
}

static const struct platform_device_id hostless_ids[] = {
	{ .name = "a40000000.pcie-ep" }, { .name = "a41000000.pcie-ep" }, { }
};

static struct platform_driver hostless_driver = {
	.driver		= { .name = "epfnvme-epc" },
	.id_table	= hostless_ids,
	.probe		= hostless_probe,
	.remove		= hostless_remove,
};

static void remove_devices(void)
{
	for (unsigned int i = 0; i < MAX_CONTROLLERS; i++)
		platform_device_unregister(devices[i]);
}

int __init vepc_hostless_init(void)
{
	struct platform_device *device;
	int status;

	controllers = min(controllers, MAX_CONTROLLERS);
	status = platform_driver_register(&hostless_driver);
	if (status)
		return status;
	for (unsigned int i = 0; i < controllers; i++) {
		device = platform_device_register_data(NULL, names[i], PLATFORM_DEVID_NONE, &i,
						       sizeof(i));
		if (IS_ERR(device)) {
			vepc_hostless_exit();
			return PTR_ERR(device);
		}
		devices[i] = device;
	}
	return 0;
}

void vepc_hostless_exit(void)
{
	remove_devices();
	platform_driver_unregister(&hostless_driver);
}
