#include "slots.h"
#include "bytes.h"

#include <stddef.h>

/* Bits of the GPT attributes, as ChromeOS and CoreOS have them. */
enum { PRIORITY_SHIFT = 48, TRIES_SHIFT = 52, SUCCESSFUL_SHIFT = 56 };

/* The /usr partition type of this architecture, Discoverable Partitions Specification. */
static const uint8_t USR_TYPE[16] = {
#if defined(__aarch64__)
    0x5e, 0x10, 0xe0, 0xb0, 0x50, 0xee, 0x90, 0x43, 0x94, 0x9a, 0x91, 0x01, 0xb1, 0x71, 0x04, 0xe9,
#else
    0x0c, 0x68, 0x84, 0x84, 0x21, 0x95, 0xc6, 0x48, 0x9c, 0x11, 0xb0, 0x72, 0x06, 0x56, 0xf6, 0x9e,
#endif
};

/* The letter of a label "USR-A" or "USR-B", which is UTF-16 and padded with zeros; else 0. */
static char letter_of(const uint8_t *entry) {
  static const char prefix[4] = {'U', 'S', 'R', '-'};
  const uint8_t *name = entry + ENTRY_NAME;
  for (uint32_t i = 0; i < sizeof prefix; i++) {
    if (name[2 * i] != (uint8_t)prefix[i] || name[2 * i + 1] != 0) return 0;
  }
  bool ends = name[10] == 0 && name[11] == 0;
  bool is_slot = name[8] == 'A' || name[8] == 'B';
  return ends && is_slot && name[9] == 0 ? (char)name[8] : 0;
}

void slots_read(struct slots *slots, struct gpt *gpt) {
  slots->count = 0;
  for (uint32_t i = 0; i < gpt->current->entry_count && slots->count < SLOT_COUNT; i++) {
    const uint8_t *entry = gpt_entry(gpt, i);
    char letter = letter_of(entry);
    if (letter == 0 || !equal_bytes(entry + ENTRY_TYPE, USR_TYPE, sizeof USR_TYPE)) continue;
    if (slots->count == 1 && slots->at[0].letter == letter) continue;
    uint64_t attributes = get_u64(entry + ENTRY_ATTRIBUTES);
    slots->at[slots->count++] = (struct slot){
        .index = i,
        .letter = letter,
        .priority = attributes >> PRIORITY_SHIFT & 15,
        .tries = attributes >> TRIES_SHIFT & 15,
        .successful = attributes >> SUCCESSFUL_SHIFT & 1,
    };
  }
}

struct slot *slots_choose(struct slots *slots, bool only_successful) {
  struct slot *best = NULL;
  for (uint32_t i = 0; i < slots->count; i++) {
    struct slot *slot = &slots->at[i];
    bool is_good = slot->successful || (slot->tries > 0 && !only_successful);
    if (slot->failed || slot->priority == 0 || !is_good) continue;
    bool is_better = best == NULL || slot->priority > best->priority ||
                     (slot->priority == best->priority && slot->successful && !best->successful);
    if (is_better) best = slot;
  }
  return best;
}

struct slot *slots_last_resort(struct slots *slots) {
  struct slot *best = NULL;
  for (uint32_t i = 0; i < slots->count; i++) {
    struct slot *slot = &slots->at[i];
    if (slot->failed) continue;
    bool is_better = best == NULL || (slot->successful && !best->successful) ||
                     (slot->successful == best->successful && slot->priority > best->priority);
    if (is_better) best = slot;
  }
  return best;
}

void slot_put(const struct slot *slot, struct gpt *gpt) {
  uint8_t *at = gpt_entry(gpt, slot->index) + ENTRY_ATTRIBUTES;
  uint64_t others = get_u64(at) & ~(0x1ffull << PRIORITY_SHIFT);
  put_u64(at, others | (uint64_t)slot->priority << PRIORITY_SHIFT | (uint64_t)slot->tries << TRIES_SHIFT |
                  (uint64_t)slot->successful << SUCCESSFUL_SHIFT);
}
