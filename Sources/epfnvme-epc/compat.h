/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that this module builds on, 6.12 to 7.3. No other file tests the
 * kernel's version.
 */
#ifndef VEPC_COMPAT_H
#define VEPC_COMPAT_H

#include <linux/log2.h>
#include <linux/pci-epc.h>
#include <linux/string.h>
#include <linux/version.h>

#define VEPC_KERNEL_IS(major, minor, patch) \
	(KERNEL_VERSION(major, minor, patch) <= LINUX_VERSION_CODE)

/*
 * Until 6.16 pci-epc-core passed the count of vectors to the controller as the capability's
 * register encodes it (MSI: a power of two, MSI-X: one less) and decoded what the controller
 * returned. The long-term 6.12 passes the MSI-X count as it is since 6.12.91, and still decodes the
 * reply.
 * Source: drivers/pci/endpoint/pci-epc-core.c, pci_epc_set_msi(), pci_epc_get_msix().
 */
#if VEPC_KERNEL_IS(6, 16, 0)
#define VEPC_MSI_COUNT(passed)	((unsigned int)(passed))
#define VEPC_MSI_REPLY(count)	((int)(count))
#define VEPC_MSIX_REPLY(count)	((int)(count))
#else
#define VEPC_MSI_COUNT(passed)	(1u << (passed))
#define VEPC_MSI_REPLY(count)	((int)order_base_2(count))
#define VEPC_MSIX_REPLY(count)	((int)(count) - 1)
#endif

#if VEPC_KERNEL_IS(6, 16, 0) || \
	(VEPC_KERNEL_IS(6, 12, 91) && !VEPC_KERNEL_IS(6, 13, 0))
#define VEPC_MSIX_COUNT(passed)	((unsigned int)(passed))
#else
#define VEPC_MSIX_COUNT(passed)	((passed) + 1u)
#endif

/* pci_epc_ops has align_addr since 6.13. Kbuild looks for it in a 6.12 that took it over. */
#if VEPC_KERNEL_IS(6, 13, 0) && !defined(VEPC_HAVE_ALIGN_ADDR)
#define VEPC_HAVE_ALIGN_ADDR
#endif

/* Since 6.15 a controller says whether it has INTx; before, drivers took it for granted. */
static inline void vepc_set_intx_capable(struct pci_epc_features *features, bool capable)
{
#if VEPC_KERNEL_IS(6, 15, 0)
	features->intx_capable = capable;
#endif
}

/* The kinds of a BAR by name; one that this kernel does not know is programmable. */
static inline enum pci_epc_bar_type vepc_bar_type(const char *kind)
{
	if (!strcmp(kind, "fixed"))
		return BAR_FIXED;
	if (!strcmp(kind, "reserved"))
		return BAR_RESERVED;
#if VEPC_KERNEL_IS(6, 15, 0)
	if (!strcmp(kind, "resizable"))
		return BAR_RESIZABLE;
#endif
#if VEPC_KERNEL_IS(7, 2, 0)
	if (!strcmp(kind, "disabled"))
		return BAR_DISABLED;
#endif
	return BAR_PROGRAMMABLE;
}

#endif
