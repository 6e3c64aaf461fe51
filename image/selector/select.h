/*
 * What the selector does, from the table to a started slot; the firmware (or a test) is behind `struct machine`.
 *
 *   read the table -> choose -> lower its tries, write -> say so -> start the UKI
 *                       ^                                              | it could not be started
 *                       +---------- priority 0, write <----------------+
 *
 * It never gives up a way to boot: when nothing qualifies it starts the last slot known good, and without a readable
 * table it tries one UKI after the other.
 */
#ifndef CAISSON_SELECT_H
#define CAISSON_SELECT_H

#include "gpt.h"

struct machine {
  void *context;
  /* NULL when the disk that this program came from was not found. */
  const struct disk *disk;
  /* First sector of the partition that this program came from, to be sure of the disk; 0 when not known. */
  uint64_t own_partition_lba;
  /* One line without its end. */
  void (*print)(void *context, const char *line);
  /* Starts the UKI of a slot, 'A' or 'B'. False, with the reason printed, when it is missing, damaged or ended. */
  bool (*start)(void *context, char letter);
};

/* True when a UKI runs (on a host: would run); false when none could be started. `gpt` is working memory. */
bool select_and_start(const struct machine *machine, struct gpt *gpt);

#endif
