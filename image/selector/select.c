#include "select.h"
#include "line.h"
#include "slots.h"

#include <stddef.h>

static void say(const struct machine *machine, const char *text, const char *detail) {
  struct line line = line_new();
  line_text(&line, text);
  line_text(&line, detail);
  machine->print(machine->context, line.text);
}

static void append_bits(struct line *line, const struct slot *slot) {
  line_text(line, "priority ");
  line_number(line, slot->priority, 10);
  line_text(line, ", tries left ");
  line_number(line, slot->tries, 10);
  line_text(line, slot->successful ? ", successful" : ", not yet successful");
}

static void append_name(struct line *line, const struct slot *slot) {
  line_text(line, "USR-");
  line_char(line, slot->letter);
}

/* The one line that says what was chosen and why. */
static void announce(const struct machine *machine, const struct slot *slot, bool is_last_resort) {
  struct line line = line_new();
  line_text(&line, "booting ");
  append_name(&line, slot);
  line_text(&line, is_last_resort ? " (last resort: " : " (");
  append_bits(&line, slot);
  line_char(&line, ')');
  machine->print(machine->context, line.text);
}

static void explain_none(const struct machine *machine, const struct slots *slots) {
  struct line line = line_new();
  line_text(&line, "no slot qualifies");
  for (uint32_t i = 0; i < slots->count; i++) {
    const struct slot *slot = &slots->at[i];
    line_text(&line, "; ");
    append_name(&line, slot);
    line_text(&line, ": ");
    append_bits(&line, slot);
    if (slot->failed) line_text(&line, ", cannot be started");
  }
  machine->print(machine->context, line.text);
}

/* True when the table was read and is the one of the disk that this program came from. */
static bool load_table(const struct machine *machine, struct gpt *gpt) {
  if (machine->disk == NULL) {
    say(machine, "the disk that this program came from was not found", "");
    return false;
  }
  bool is_loaded = gpt_load(gpt, machine->disk);
  if (gpt->primary.problem != NULL) say(machine, "primary partition table is damaged: ", gpt->primary.problem);
  if (gpt->backup.problem != NULL) say(machine, "backup partition table is damaged: ", gpt->backup.problem);
  if (!is_loaded) return false;
  if (gpt->copies_differ) say(machine, "the two partition tables differ; the primary counts", "");
  if (machine->own_partition_lba != 0 && !gpt_has_partition_at(gpt, machine->own_partition_lba)) {
    say(machine, "the partition table does not hold the partition that this program came from", "");
    return false;
  }
  return true;
}

/* Without bits every UKI is as good as the other. */
static bool start_any(const struct machine *machine, const char *reason) {
  for (char letter = 'A'; letter < 'A' + SLOT_COUNT; letter++) {
    struct line line = line_new();
    line_text(&line, "booting USR-");
    line_char(&line, letter);
    line_text(&line, " (last resort: ");
    line_text(&line, reason);
    line_char(&line, ')');
    machine->print(machine->context, line.text);
    if (machine->start(machine->context, letter)) return true;
  }
  return false;
}

/*
 * Lowers the tries of a slot on trial, on disk. When that cannot be written the slot must not be started again and
 * again: a slot known good is the answer, if there is one. If there is none, a trial without an end is still better
 * than a machine that stands still. Returns the slot to start.
 */
static struct slot *spend_try(const struct machine *machine, struct gpt *gpt, struct slots *slots,
                              struct slot *slot) {
  slot->tries--;
  slot_put(slot, gpt);
  if (gpt_store(gpt, machine->disk)) return slot;
  slot->tries++;
  slot_put(slot, gpt);
  struct slot *good = slots_choose(slots, true);
  say(machine, "cannot write the partition table; ",
      good != NULL ? "starting a slot known good instead of one on trial" : "tries left stay as they are");
  return good != NULL ? good : slot;
}

/* Takes a slot out of the choice, now and at the next boot. */
static void give_up(const struct machine *machine, struct gpt *gpt, struct slot *slot) {
  slot->failed = true;
  if (slot->priority == 0) return;
  slot->priority = 0;
  slot_put(slot, gpt);
  if (gpt_store(gpt, machine->disk)) return;
  say(machine, "cannot write the partition table; the slot stays a candidate", "");
}

bool select_and_start(const struct machine *machine, struct gpt *gpt) {
  struct slots slots;
  if (!load_table(machine, gpt)) return start_any(machine, "no usable partition table");
  slots_read(&slots, gpt);
  if (slots.count == 0) return start_any(machine, "no USR partition");
  /* Each round starts a slot or takes one out. */
  for (uint32_t round = 0; round < slots.count; round++) {
    struct slot *slot = slots_choose(&slots, false);
    bool is_last_resort = slot == NULL;
    if (is_last_resort) {
      explain_none(machine, &slots);
      slot = slots_last_resort(&slots);
      if (slot == NULL) break;
    } else if (!slot->successful) {
      slot = spend_try(machine, gpt, &slots, slot);
    }
    announce(machine, slot, is_last_resort);
    if (machine->start(machine->context, slot->letter)) return true;
    give_up(machine, gpt, slot);
  }
  return false;
}
