/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual endpoint controller: what the controller on the link and the one without a host have
 * in common.
 */
#ifndef VEPC_H
#define VEPC_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/pci-epc.h>
#include <linux/pci-epf.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct vepc;

/* Events of a host; the numbers are those of the link's register LINK_EVENTS. */
#define VEPC_LINK_DOWN		BIT(0)
#define VEPC_LINK_UP		BIT(1)
#define VEPC_PERST_ASSERT	BIT(2)
#define VEPC_PERST_DEASSERT	BIT(3)
#define VEPC_EVENTS		GENMASK(3, 0)

/* Operations that a parameter can hold or let fail, see faults.c. */
enum vepc_operation {
	VEPC_FEATURES,
	VEPC_WRITE_HEADER,
	VEPC_SET_BAR,
	VEPC_MAP_ADDR,
	VEPC_SET_MSI,
	VEPC_SET_MSIX,
	VEPC_RAISE_IRQ,
	VEPC_START,
	VEPC_STOP,
	VEPC_OPERATIONS
};

/* What a function driver programmed; index is the function's number. */
struct vepc_function {
	struct pci_epf_header	header;
	bool			has_header;
	struct {
		u64	size;
		int	flags;
	} bars[PCI_STD_NUM_BARS];
	unsigned int		msi, msix;
	enum pci_barno		msix_bar;
	u32			msix_offset;
};

/**
 * struct vepc_ops - what is behind a virtual endpoint controller
 * @write_header: optional, as the next ones; called with epc->lock held
 * @set_bar: a BAR's size is a power of two
 * @clear_bar: the function driver no longer backs the BAR
 * @set_msi: count is a power of two, 1 to 32
 * @set_msix: count is 1 to 2048
 * @map_addr: lets a part of the outbound window lead to a PCI address
 * @unmap_addr: undoes map_addr
 * @msi_granted: the vectors that the host has granted, 0 while it has not enabled MSI; absent: all
 * @msix_enabled: the host has enabled MSI-X; absent: yes
 * @raise_irq: raises a PCI_IRQ_* at the host
 * @start: lets the link train
 * @stop: takes the link down
 * @events: returns VEPC_* that have happened since the last call
 * @link_is_up: whether the link is up now
 * @acknowledge: the function drivers have been told about these events
 */
struct vepc_ops {
	int (*write_header)(struct vepc *vepc, u8 func, const struct pci_epf_header *header);
	int (*set_bar)(struct vepc *vepc, u8 func, const struct pci_epf_bar *bar);
	void (*clear_bar)(struct vepc *vepc, u8 func, enum pci_barno bar);
	int (*set_msi)(struct vepc *vepc, u8 func, unsigned int count);
	int (*set_msix)(struct vepc *vepc, u8 func, unsigned int count, enum pci_barno bar,
			u32 offset);
	int (*map_addr)(struct vepc *vepc, u8 func, phys_addr_t addr, u64 pci_addr, size_t size);
	void (*unmap_addr)(struct vepc *vepc, u8 func, phys_addr_t addr);
	unsigned int (*msi_granted)(struct vepc *vepc, u8 func);
	bool (*msix_enabled)(struct vepc *vepc, u8 func);
	int (*raise_irq)(struct vepc *vepc, u8 func, unsigned int type, u16 number);
	int (*start)(struct vepc *vepc);
	void (*stop)(struct vepc *vepc);
	u32 (*events)(struct vepc *vepc);
	bool (*link_is_up)(struct vepc *vepc);
	void (*acknowledge)(struct vepc *vepc, u32 events);
};

/**
 * struct vepc - a virtual endpoint controller
 * @ops: what is behind it
 * @msix: whether that can raise MSI-X interrupts
 * @msi: whether that can raise MSI interrupts
 * @intx: whether that can raise INTx interrupts
 * @free_running: PERST# is passed on although the controller is not started
 * @perst: the host holds PERST#; if so at registration, drivers wait for VEPC_PERST_DEASSERT
 * @max_functions: the number of functions
 * @window_base: physical address of the outbound window
 * @window_size: bytes of the outbound window
 *
 * The caller sets the members above and zeroes the others.
 *
 * @epc: the kernel's object
 * @functions: what has been programmed
 * @features: what function drivers have been told last
 * @node: entry of the list of controllers
 * @event_work: tells function drivers about events; never runs twice at a time
 * @idle: woken when a notification has been delivered
 * @lock: protects the members below
 * @started: between the operations start and stop
 * @initialised: function drivers have been told that the controller is initialised
 * @link_up: function drivers have been told that the link is up
 * @delivering: the notification that is being delivered, or 0
 */
struct vepc {
	const struct vepc_ops		*ops;
	bool				msix, msi, intx;
	bool				free_running;
	bool				perst;
	unsigned int			max_functions;
	phys_addr_t			window_base;
	size_t				window_size;

	struct pci_epc			*epc;
	struct vepc_function		*functions;
	struct pci_epc_features		features;
	struct list_head		node;
	struct work_struct		event_work;
	wait_queue_head_t		idle;
	/* Never held while a driver is notified. */
	spinlock_t			lock;
	bool				started, initialised, link_up;
	u32				delivering;
};

int vepc_register(struct vepc *vepc, struct device *parent);
void vepc_unregister(struct vepc *vepc);
void vepc_kick(struct vepc *vepc);

/* faults.c */
int vepc_fault(struct vepc *vepc, enum vepc_operation operation);
void vepc_describe_features(struct vepc *vepc, struct pci_epc_features *features);
bool vepc_notifies_link(void);

/* link.c, hostless.c */
int vepc_link_init(void);
void vepc_link_exit(void);
int vepc_hostless_init(void);
void vepc_hostless_exit(void);

#endif
