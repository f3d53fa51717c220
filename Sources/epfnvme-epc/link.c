// SPDX-License-Identifier: GPL-2.0
/*
 * The endpoint controller on the link: a PCI function that `epfnvme link` presents to this machine.
 * Functions program it here; a host in another machine sees a PCI function.
 *
 * Set-up operations go through a mailbox in a page of this machine's memory, and wait for a result.
 * What a function does under load (windows, interrupts, DMA) is posted writes only, so that it
 * never waits for the process behind the registers.
 */

#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "link.h"

static struct link *to_link(struct vepc *vepc)
{
	return container_of(vepc, struct link, vepc);
}

static u32 read_register(struct link *link, unsigned int offset)
{
	return readl(link->regs + offset);
}

static void write_register(struct link *link, unsigned int offset, u32 value)
{
	writel(value, link->regs + offset);
}

/* The low word first; the high word acts. One writeq could arrive as either. */
static void write_register64(struct link *link, unsigned int offset, u64 value)
{
	lo_hi_writeq(value, link->regs + offset);
}

/* ---- Mailbox ---- */

struct operation {
	enum link_operation	operation;
	u8			func;
	u32			arg[6];
	u64			address, size;
};

static int run_operation(struct link *link, const struct operation *operation)
{
	struct link_mailbox *mailbox = &link->shared->mailbox;
	u32 result;

	mutex_lock(&link->mailbox_lock);
	mailbox->operation = cpu_to_le32(operation->operation);
	mailbox->function = cpu_to_le32(operation->func);
	for (int i = 0; i < ARRAY_SIZE(mailbox->arg); i++)
		mailbox->arg[i] = cpu_to_le32(operation->arg[i]);
	mailbox->address = cpu_to_le64(operation->address);
	mailbox->size = cpu_to_le64(operation->size);
	/* writel() orders the memory above before it. */
	write_register(link, LINK_MAILBOX, 1);
	result = read_register(link, LINK_RESULT);
	mutex_unlock(&link->mailbox_lock);

	/* All ones, when the process behind the device has ended. */
	if (result > MAX_ERRNO)
		return -EIO;
	if (result)
		dev_dbg(&link->pdev->dev, "operation %d of function %u: error %u\n",
			operation->operation, operation->func, result);
	return -(int)result;
}

static int link_write_header(struct vepc *vepc, u8 func, const struct pci_epf_header *header)
{
	struct operation operation = {
		.operation = LINK_OP_HEADER,
		.func = func,
		.arg = {
			header->vendorid | header->deviceid << 16,
			header->revid | header->progif_code << 8 |
				header->subclass_code << 16 | (u32)header->baseclass_code << 24,
			header->cache_line_size,
			header->subsys_vendor_id | header->subsys_id << 16,
			header->interrupt_pin,
		},
	};

	return run_operation(to_link(vepc), &operation);
}

static int link_set_bar(struct vepc *vepc, u8 func, const struct pci_epf_bar *bar)
{
	struct operation operation = {
		.operation = LINK_OP_SET_BAR,
		.func = func,
		.arg = { bar->barno, bar->flags },
		.address = bar->phys_addr,
		.size = bar->size,
	};

	return run_operation(to_link(vepc), &operation);
}

static void link_clear_bar(struct vepc *vepc, u8 func, enum pci_barno bar)
{
	struct operation operation = {
		.operation = LINK_OP_CLEAR_BAR,
		.func = func,
		.arg = { bar },
	};

	/* The memory is about to be freed: the link must not keep it. */
	if (run_operation(to_link(vepc), &operation))
		dev_warn(&to_link(vepc)->pdev->dev, "function %u keeps BAR %d\n", func, bar);
}

static int link_set_msi(struct vepc *vepc, u8 func, unsigned int count)
{
	struct operation operation = {
		.operation = LINK_OP_MSI,
		.func = func,
		.arg = { count },
	};

	return run_operation(to_link(vepc), &operation);
}

static int link_set_msix(struct vepc *vepc, u8 func, unsigned int count, enum pci_barno bar,
			 u32 offset)
{
	struct operation operation = {
		.operation = LINK_OP_MSIX,
		.func = func,
		.arg = { count, bar, offset },
	};

	return run_operation(to_link(vepc), &operation);
}

/*
 * A controller is not told when a function is taken off it, so the link forgets such functions when
 * it is started again. list_lock, which guards the map, cannot be taken inside epc->lock.
 */
static void remove_functions(struct link *link)
{
	struct vepc *vepc = &link->vepc;

	for (unsigned int func = 0; func < vepc->max_functions; func++) {
		struct operation operation = { .operation = LINK_OP_REMOVE, .func = func };

		if (!vepc->functions[func].has_header ||
		    (func < BITS_PER_LONG && test_bit(func, &vepc->epc->function_num_map)))
			continue;
		if (!run_operation(link, &operation))
			memset(&vepc->functions[func], 0, sizeof(vepc->functions[func]));
	}
}

/* Whatever this machine programmed before, under this module or another kernel. */
static void forget_functions(struct link *link)
{
	struct operation operation = { .operation = LINK_OP_STOP };

	run_operation(link, &operation);
	operation.operation = LINK_OP_REMOVE;
	for (unsigned int func = 0; func < link->vepc.max_functions; func++) {
		operation.func = func;
		run_operation(link, &operation);
	}
}

static int link_start(struct vepc *vepc)
{
	struct operation operation = { .operation = LINK_OP_START };

	remove_functions(to_link(vepc));
	return run_operation(to_link(vepc), &operation);
}

static void link_stop(struct vepc *vepc)
{
	struct operation operation = { .operation = LINK_OP_STOP };

	run_operation(to_link(vepc), &operation);
}

/* ---- Under load ---- */

static void link_unmap_addr(struct vepc *vepc, u8 func, phys_addr_t addr)
{
	struct link *link = to_link(vepc);
	u64 page = (addr - vepc->window_base) >> LINK_PAGE_SHIFT;

	/* Drivers clean up after a map_addr that failed. */
	if (addr < vepc->window_base || page >= vepc->window_size >> LINK_PAGE_SHIFT ||
	    !__test_and_clear_bit(page, link->window))
		return;
	link->mappings--;
	write_register(link, LINK_UNMAP, page);
}

static int link_map_addr(struct vepc *vepc, u8 func, phys_addr_t addr, u64 pci_addr, size_t size)
{
	struct link *link = to_link(vepc);
	u64 page = (addr - vepc->window_base) >> LINK_PAGE_SHIFT;
	u64 pages = DIV_ROUND_UP(size, LINK_PAGE_SIZE);

	/*
	 * The registers have page numbers. pci_epc_mem_map() aligns with align_addr; who calls
	 * pci_epc_map_addr() has to.
	 */
	if (!IS_ALIGNED(addr - vepc->window_base, LINK_PAGE_SIZE) ||
	    !IS_ALIGNED(pci_addr, LINK_PAGE_SIZE) || !pages || pages > LINK_WINDOW_PAGES_MAX)
		return -EINVAL;
	/* Led elsewhere: the link drops a mapping over another one. */
	link_unmap_addr(vepc, func, addr);
	if (link->max_mappings && link->mappings == link->max_mappings)
		return -ENOSPC;
	__set_bit(page, link->window);
	link->mappings++;
	/* epc->lock keeps the two together. */
	write_register64(link, LINK_WINDOW, ((u64)func << 24 | pages) << 32 | page);
	write_register64(link, LINK_MAP, pci_addr);
	return 0;
}

static u32 host_state(struct link *link, u8 func)
{
	return le32_to_cpu(READ_ONCE(link->shared->host[func]));
}

static unsigned int link_msi_granted(struct vepc *vepc, u8 func)
{
	u32 host = host_state(to_link(vepc), func);

	if (!(host & LINK_HOST_MSI))
		return 0;
	/* 32 vectors at most (PCI 3.0, 6.8.1.3). */
	return 1u << min(FIELD_GET(LINK_HOST_MSI_LOG2, host), 5u);
}

static bool link_msix_enabled(struct vepc *vepc, u8 func)
{
	return host_state(to_link(vepc), func) & LINK_HOST_MSIX;
}

static int link_raise_irq(struct vepc *vepc, u8 func, unsigned int type, u16 number)
{
	u32 kind;

	switch (type) {
	case PCI_IRQ_MSIX:
		kind = LINK_IRQ_MSIX;
		break;
	case PCI_IRQ_MSI:
		kind = LINK_IRQ_MSI;
		break;
	default:
		kind = LINK_IRQ_INTX;
		break;
	}
	write_register(to_link(vepc), LINK_IRQ, (u32)func << 24 | kind << 16 | number);
	return 0;
}

/* ---- Events ---- */

static u32 link_events(struct vepc *vepc)
{
	u32 events = read_register(to_link(vepc), LINK_EVENTS);

	/* All ones, when the process behind the device has ended. */
	return events == U32_MAX ? 0 : events;
}

/* The first function's host is the controller's. */
static bool link_is_up(struct vepc *vepc)
{
	return host_state(to_link(vepc), 0) & LINK_HOST_LINK_UP;
}

/* Now the link answers a reset that the host waits for. */
static void link_acknowledge(struct vepc *vepc, u32 events)
{
	write_register(to_link(vepc), LINK_ACK, events);
}

static const struct vepc_ops link_ops = {
	.write_header	= link_write_header,
	.set_bar	= link_set_bar,
	.clear_bar	= link_clear_bar,
	.set_msi	= link_set_msi,
	.set_msix	= link_set_msix,
	.map_addr	= link_map_addr,
	.unmap_addr	= link_unmap_addr,
	.msi_granted	= link_msi_granted,
	.msix_enabled	= link_msix_enabled,
	.raise_irq	= link_raise_irq,
	.start		= link_start,
	.stop		= link_stop,
	.events		= link_events,
	.link_is_up	= link_is_up,
	.acknowledge	= link_acknowledge,
};

static irqreturn_t event_interrupt(int irq, void *data)
{
	struct link *link = data;

	vepc_kick(&link->vepc);
	return IRQ_HANDLED;
}

static irqreturn_t dma_interrupt(int irq, void *data)
{
	link_dma_interrupt(data);
	return IRQ_HANDLED;
}

/* ---- The PCI device ---- */

static int identify(struct link *link)
{
	struct device *dev = &link->pdev->dev;
	u32 magic = read_register(link, LINK_MAGIC);
	u32 interface = read_register(link, LINK_INTERFACE);
	u32 features = read_register(link, LINK_FEATURES);

	if (magic != LINK_MAGIC_VALUE)
		return dev_err_probe(dev, -ENODEV, "not a link: magic 0x%08x\n", magic);
	if (interface != LINK_VERSION)
		return dev_err_probe(dev, -ENODEV,
				     "the link has version %u of the interface, this module %u\n",
				     interface, LINK_VERSION);
	link->vepc.msix = features & LINK_FEATURE_MSIX;
	link->vepc.msi = features & LINK_FEATURE_MSI;
	link->vepc.intx = features & LINK_FEATURE_INTX;
	link->vepc.max_functions = clamp(FIELD_GET(LINK_FEATURE_FUNCTIONS, features), 1u,
					 (unsigned int)LINK_MAX_FUNCTIONS);
	link->max_mappings = FIELD_GET(LINK_FEATURE_WINDOWS, features);
	return 0;
}

static int link_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	struct link *link;
	int status;

	link = devm_kzalloc(dev, sizeof(*link), GFP_KERNEL);
	if (!link)
		return -ENOMEM;
	link->pdev = pdev;
	mutex_init(&link->mailbox_lock);
	pci_set_drvdata(pdev, link);

	status = pci_enable_device(pdev);
	if (status)
		return status;
	status = pci_request_regions(pdev, KBUILD_MODNAME);
	if (status)
		goto disable;
	link->regs = pci_iomap(pdev, LINK_REGISTER_BAR, 0);
	if (!link->regs) {
		status = -ENOMEM;
		goto release;
	}
	status = identify(link);
	if (status)
		goto unmap;

	link->vepc.ops = &link_ops;
	link->vepc.window_base = pci_resource_start(pdev, LINK_WINDOW_BAR);
	link->vepc.window_size = pci_resource_len(pdev, LINK_WINDOW_BAR);
	if (link->vepc.window_size < PAGE_SIZE) {
		status = dev_err_probe(dev, -ENODEV, "no outbound window\n");
		goto unmap;
	}
	link->window = bitmap_zalloc(link->vepc.window_size >> LINK_PAGE_SHIFT, GFP_KERNEL);
	if (!link->window) {
		status = -ENOMEM;
		goto unmap;
	}

	status = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (status)
		goto free_window;
	dma_set_max_seg_size(dev, LINK_TRANSFER_MAX);
	link->shared = dma_alloc_coherent(dev, LINK_PAGE_SIZE, &link->shared_bus, GFP_KERNEL);
	if (!link->shared) {
		status = -ENOMEM;
		goto free_window;
	}
	pci_set_master(pdev);
	status = pci_alloc_irq_vectors(pdev, LINK_VECTORS, LINK_VECTORS, PCI_IRQ_MSIX);
	if (status < 0)
		goto free_shared;
	write_register64(link, LINK_SHARED, link->shared_bus);
	forget_functions(link);

	/* Functions ask for the channels as soon as there is a controller. */
	link_dma_add(link);
	status = vepc_register(&link->vepc, dev);
	if (status)
		goto remove_dma;
	/* Nothing happens before the controller is started, so that no event is lost here. */
	status = request_irq(pci_irq_vector(pdev, LINK_EVENT_VECTOR), event_interrupt, 0,
			     "epfnvme-epc events", link);
	if (status)
		goto unregister;
	status = request_irq(pci_irq_vector(pdev, LINK_DMA_VECTOR), dma_interrupt, 0,
			     "epfnvme-epc DMA", link);
	if (status)
		goto free_event_irq;
	/* For the one that has been started already. */
	vepc_kick(&link->vepc);
	dev_info(dev, "endpoint controller on a link: %u function%s, window of %zu KiB, DMA %s\n",
		 link->vepc.max_functions, link->vepc.max_functions == 1 ? "" : "s",
		 link->vepc.window_size / SZ_1K, link->slave ? "channels" : "none");
	return 0;

free_event_irq:
	free_irq(pci_irq_vector(pdev, LINK_EVENT_VECTOR), link);
unregister:
	vepc_unregister(&link->vepc);
remove_dma:
	link_dma_remove(link);
	write_register64(link, LINK_SHARED, 0);
	pci_free_irq_vectors(pdev);
free_shared:
	pci_clear_master(pdev);
	dma_free_coherent(dev, LINK_PAGE_SIZE, link->shared, link->shared_bus);
free_window:
	bitmap_free(link->window);
unmap:
	pci_iounmap(pdev, link->regs);
release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
	return status;
}

static void link_remove(struct pci_dev *pdev)
{
	struct link *link = pci_get_drvdata(pdev);

	free_irq(pci_irq_vector(pdev, LINK_EVENT_VECTOR), link);
	free_irq(pci_irq_vector(pdev, LINK_DMA_VECTOR), link);
	/* A transfer asks the controller for its functions. */
	link_dma_remove(link);
	vepc_unregister(&link->vepc);
	forget_functions(link);
	/* A read, so that the link no longer writes to the page when it is freed. */
	write_register64(link, LINK_SHARED, 0);
	read_register(link, LINK_SYNC);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
	dma_free_coherent(&pdev->dev, LINK_PAGE_SIZE, link->shared, link->shared_bus);
	bitmap_free(link->window);
	pci_iounmap(pdev, link->regs);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
}

/* The link must not write into a machine that reboots, nor into the next kernel of a kexec. */
static void link_shutdown(struct pci_dev *pdev)
{
	struct link *link = pci_get_drvdata(pdev);

	link_stop(&link->vepc);
	write_register64(link, LINK_SHARED, 0);
	read_register(link, LINK_SYNC);
}

static const struct pci_device_id link_ids[] = {
	{ PCI_DEVICE(LINK_VENDOR_ID, LINK_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, link_ids);

static struct pci_driver link_driver = {
	.name		= "epfnvme-epc",
	.id_table	= link_ids,
	.probe		= link_probe,
	.remove		= link_remove,
	.shutdown	= link_shutdown,
};

int __init vepc_link_init(void)
{
	return pci_register_driver(&link_driver);
}

void vepc_link_exit(void)
{
	pci_unregister_driver(&link_driver);
}
