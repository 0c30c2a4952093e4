/* SPDX-License-Identifier: MIT */
/* Capture files as a source: pcap (micro- and nanoseconds, both byte orders) and pcapng, several files as one time line. */
#ifndef PERISCO_CAPTURE_FILE_H
#define PERISCO_CAPTURE_FILE_H

#include "capture/source.h"

/*
 * Opens `n` files ("-": standard input) and reads them as one time line, the earliest packet first (equal times: in the order
 * of the names; one file: as its packets come). `paths` and its strings are borrowed for the life of the source. Returns NULL
 * with a line in `error`, also when the header of a file on disk is none.
 *
 * poll returns after each read, so that packets of a pipe are handed over as they come; it waits for a pipe at most the given
 * time, and never for a file on disk. A file that ends in the middle of a packet, or is broken from somewhere on, gives all
 * its whole packets; once all files are read poll returns -EBADMSG (or the errno of a failed read), and the error says which
 * file and where.
 *
 * A packet of a pcapng file has an iface, with the name and the kernel's index if perisco wrote the file, else with the place
 * of the interface in its section, from 1. A pcap file does not tell where it was captured: iface is NULL.
 */
struct source *file_open(const char *const *paths, size_t n, char *error, size_t error_n);

#endif
