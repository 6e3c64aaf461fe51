/*
 * The selector's logic on a disk image, for tests and for looking at a disk: it does everything but start a UKI.
 *
 *   selector-host DISK SECTOR_SIZE [--own-lba=N] [--fail-writes=N] [--power-cut=N] [UNLOADABLE_SLOT...]
 *
 * Prints one line of JSON: the slot that would run (or null), the slots tried, the console lines, and the writes in
 * order as [sector, count] or "flush". With --fail-writes every write fails once N sectors were written; with
 * --power-cut the program ends there, with exit code 3 and without a word.
 */
#define _GNU_SOURCE
#include "../select.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_POWER_CUT = 3, MAX_TEXT = 16384 };

struct host {
  int file;
  uint32_t sector_size;
  /* How many more sectors may be written. */
  uint64_t writes_left;
  bool is_power_cut;
  const char *unloadable;
  char started;
  char tried[MAX_TEXT], lines[MAX_TEXT], writes[MAX_TEXT];
};

/* Adds an item to a JSON list that is kept without its brackets. */
static void add_item(char *list, const char *item) {
  size_t length = strlen(list);
  snprintf(list + length, MAX_TEXT - length, "%s%s", length == 0 ? "" : ",", item);
}

static void add_string(char *list, const char *text) {
  char quoted[512];
  snprintf(quoted, sizeof quoted, "\"%s\"", text);
  add_item(list, quoted);
}

static bool read_disk(void *context, uint64_t lba, uint32_t count, void *buffer) {
  struct host *host = context;
  size_t bytes = (size_t)count * host->sector_size;
  return pread(host->file, buffer, bytes, (off_t)(lba * host->sector_size)) == (ssize_t)bytes;
}

static bool write_disk(void *context, uint64_t lba, uint32_t count, const void *buffer) {
  struct host *host = context;
  uint64_t allowed = count < host->writes_left ? count : host->writes_left;
  size_t bytes = (size_t)allowed * host->sector_size;
  if (pwrite(host->file, buffer, bytes, (off_t)(lba * host->sector_size)) != (ssize_t)bytes) return false;
  host->writes_left -= allowed;
  if (allowed < count && host->is_power_cut) _exit(EXIT_POWER_CUT);
  char item[64];
  snprintf(item, sizeof item, "[%llu,%llu]", (unsigned long long)lba, (unsigned long long)allowed);
  add_item(host->writes, item);
  return allowed == count;
}

static bool flush_disk(void *context) {
  add_string(((struct host *)context)->writes, "flush");
  return true;
}

static void print(void *context, const char *line) { add_string(((struct host *)context)->lines, line); }

static bool start(void *context, char letter) {
  struct host *host = context;
  add_string(host->tried, (char[]){letter, 0});
  if (strchr(host->unloadable, letter) != NULL) return false;
  host->started = letter;
  return true;
}

static bool read_option(const char *argument, const char *name, uint64_t *value) {
  size_t length = strlen(name);
  if (strncmp(argument, name, length) != 0) return false;
  *value = strtoull(argument + length, NULL, 10);
  return true;
}

int main(int argc, char **argv) {
  static struct host host;
  static struct gpt gpt;
  char unloadable[8] = "";
  if (argc < 3) {
    fprintf(stderr, "usage: selector-host DISK SECTOR_SIZE [OPTION...] [UNLOADABLE_SLOT...]\n");
    return 2;
  }
  host.file = open(argv[1], O_RDWR | O_CLOEXEC);
  if (host.file < 0) {
    perror(argv[1]);
    return 1;
  }
  host.sector_size = (uint32_t)strtoul(argv[2], NULL, 10);
  host.writes_left = UINT64_MAX;
  host.unloadable = unloadable;
  struct disk disk = {&host, host.sector_size, 0, read_disk, write_disk, flush_disk};
  struct machine machine = {.context = &host, .disk = &disk, .print = print, .start = start};
  for (int i = 3; i < argc; i++) {
    if (read_option(argv[i], "--own-lba=", &machine.own_partition_lba)) continue;
    if (read_option(argv[i], "--fail-writes=", &host.writes_left)) continue;
    if (read_option(argv[i], "--power-cut=", &host.writes_left)) {
      host.is_power_cut = true;
    } else if (strlen(argv[i]) == 1 && strlen(unloadable) < sizeof unloadable - 1) {
      strcat(unloadable, argv[i]);
    } else {
      fprintf(stderr, "selector-host: unknown argument %s\n", argv[i]);
      return 2;
    }
  }
  if (host.sector_size != 0) disk.sectors = (uint64_t)lseek(host.file, 0, SEEK_END) / host.sector_size;
  bool runs = select_and_start(&machine, &gpt);
  if (fsync(host.file) != 0 || close(host.file) != 0) return 1;
  char started[4] = {'"', host.started, '"', 0};
  printf("{\"started\":%s,\"tried\":[%s],\"lines\":[%s],\"writes\":[%s]}\n", runs ? started : "null", host.tried,
         host.lines, host.writes);
  return 0;
}
