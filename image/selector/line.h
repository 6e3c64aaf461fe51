/* One line of text of bounded length, put together without an allocator or a formatter. What is too long is cut. */
#ifndef CAISSON_LINE_H
#define CAISSON_LINE_H

#include <stdint.h>

enum { LINE_MAX_LENGTH = 200 };

struct line {
  char text[LINE_MAX_LENGTH + 1];
  uint32_t length;
};

static inline void line_char(struct line *line, char value) {
  if (line->length >= LINE_MAX_LENGTH) return;
  line->text[line->length++] = value;
  line->text[line->length] = 0;
}

static inline void line_text(struct line *line, const char *text) {
  while (*text != 0) line_char(line, *text++);
}

static inline void line_number(struct line *line, uint64_t value, uint32_t base) {
  char digits[20];
  uint32_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0 && count < sizeof digits);
  while (count > 0) line_char(line, digits[--count]);
}

static inline struct line line_new(void) {
  struct line line = {.length = 0};
  line_text(&line, "caisson: ");
  return line;
}

#endif
