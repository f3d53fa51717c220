/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The endpoint controller on the link, shared by its PCI driver and its DMA channels.
 */
#ifndef VEPC_LINK_H
#define VEPC_LINK_H

#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "link_regs.h"
#include "vepc.h"

struct link_dma;

/**
 * struct link - the endpoint controller on the link
 * @vepc: the controller
 * @pdev: the PCI function that the link presents to this machine
 * @regs: its registers
 * @shared: the page in this machine's memory that both sides read and write
 * @shared_bus: that page's bus address
 * @mailbox_lock: one operation at a time
 * @window: pages of the outbound window at which a mapping begins
 * @mappings: how many there are
 * @max_mappings: how many there can be, 0: not limited
 * @slave: DMA channels to and from the host, or NULL
 * @memcpy: DMA channel from memory to memory, or NULL
 */
struct link {
	struct vepc		vepc;
	struct pci_dev		*pdev;
	void __iomem		*regs;
	struct link_shared	*shared;
	dma_addr_t		shared_bus;
	/* Operations come with epc->lock held, those of a device that is removed without it. */
	struct mutex		mailbox_lock;
	unsigned long		*window;
	unsigned int		mappings, max_mappings;
	struct link_dma		*slave, *memcpy;
};

#if IS_ENABLED(CONFIG_DMA_ENGINE)
void link_dma_add(struct link *link);
void link_dma_remove(struct link *link);
void link_dma_interrupt(struct link *link);
#else
static inline void link_dma_add(struct link *link) { }
static inline void link_dma_remove(struct link *link) { }
static inline void link_dma_interrupt(struct link *link) { }
#endif

#endif
