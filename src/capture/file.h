/* SPDX-License-Identifier: MIT */
/* Capture files as a source: pcap (micro- and nanoseconds, both byte orders) and pcapng, several files as one time line. */
#ifndef PERISCO_CAPTURE_FILE_H
#define PERISCO_CAPTURE_FILE_H

#include "capture/source.h"

/*
 * Opens `n` files ("-": standard input) and reads them as one time line, the earliest packet first (equal times: in the order
 * of the names). A file that ends in the middle of a packet gives all its whole packets; poll then returns -EBADMSG once all
 * files are read, and the error says which file and where. Returns NULL with a line in `error`.
 */
struct source *file_open(const char *const *paths, size_t n, char *error, size_t error_n);

#endif
