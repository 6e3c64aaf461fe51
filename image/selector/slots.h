/* The two USR slots, their bits, and the rule that chooses one (in TypeScript: formats/gpt/selection.ts). */
#ifndef CAISSON_SLOTS_H
#define CAISSON_SLOTS_H

#include "gpt.h"

enum { SLOT_COUNT = 2 };

struct slot {
  /* Of the entry in the table. */
  uint32_t index;
  /* 'A' or 'B'. */
  char letter;
  uint8_t priority, tries;
  bool successful;
  /* Could not be started in this run; never chosen again. */
  bool failed;
};

struct slots {
  struct slot at[SLOT_COUNT];
  uint32_t count;
};

/* Partitions of the /usr type labelled USR-A or USR-B, in table order; of two with one label the first. */
void slots_read(struct slots *slots, struct gpt *gpt);

/* The slot to boot, or NULL. `only_successful` leaves out those on trial. */
struct slot *slots_choose(struct slots *slots, bool only_successful);

/* When none qualifies: the last one known good, or NULL when all have failed. */
struct slot *slots_last_resort(struct slots *slots);

/* Puts a slot's bits into the table in memory, leaving all other attributes alone. */
void slot_put(const struct slot *slot, struct gpt *gpt);

#endif
