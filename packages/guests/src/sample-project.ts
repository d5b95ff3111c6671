/**
 * The sources of a small C program, to be unpacked and compiled in scripted sessions: a main program, a
 * header and `count` modules, each a function over an array, made of operations drawn from a fixed seed.
 *
 * @returns file name → content; the same every time
 */
export function sampleProject(count = 20): ReadonlyMap<string, string> {
  const random = linearCongruential(20080225);
  const names = Array.from(
    { length: count },
    (_, index) => `stage${String(index).padStart(2, '0')}`,
  );
  const files = new Map<string, string>();
  files.set('stages.h', header(names));
  files.set('main.c', mainProgram(names));
  for (const name of names) files.set(`${name}.c`, stage(name, random));
  files.set('Makefile', makefile(names));
  files.set(
    'README',
    'mill: runs numbers through a row of stages and prints what comes out.\n\nmake && ./mill 12\n',
  );
  return files;
}

const OPERATIONS = [
  'value += (uint32_t)i * K;',
  'value ^= value >> S;',
  'value = (value << S) | (value >> (32 - S));',
  'value *= K | 1u;',
  'if (value & 1u) value ^= K;',
  'value -= cells[(i + S) % length];',
] as const;

function stage(name: string, random: () => number): string {
  const lines = Array.from({ length: 6 + (random() % 5) }, () => {
    const operation = OPERATIONS[random() % OPERATIONS.length] ?? OPERATIONS[0];
    return operation
      .replaceAll('K', `0x${random().toString(16).padStart(8, '0')}u`)
      .replaceAll('S', String(1 + (random() % 30)));
  });
  return `#include <stdio.h>
#include <string.h>
#include "stages.h"

static uint32_t ${name}_step(const uint32_t *cells, size_t length, size_t i) {
  uint32_t value = cells[i];
${lines.map((line) => `  ${line}`).join('\n')}
  return value;
}

uint32_t ${name}(uint32_t *cells, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i++) {
    cells[i] = ${name}_step(cells, length, i);
    sum += cells[i];
  }
  return sum;
}

void ${name}_describe(char *text, size_t size) {
  snprintf(text, size, "%-10s %2d operations", "${name}", ${lines.length});
}
`;
}

function header(names: readonly string[]): string {
  const prototypes = names.map(
    (name) =>
      `uint32_t ${name}(uint32_t *cells, size_t length);\nvoid ${name}_describe(char *text, size_t size);`,
  );
  return `#ifndef STAGES_H
#define STAGES_H

#include <stddef.h>
#include <stdint.h>

${prototypes.join('\n')}

#endif
`;
}

function mainProgram(names: readonly string[]): string {
  return `#include <stdio.h>
#include <stdlib.h>
#include "stages.h"

typedef struct {
  uint32_t (*run)(uint32_t *cells, size_t length);
  void (*describe)(char *text, size_t size);
} Stage;

static const Stage stages[] = {
${names.map((name) => `  {${name}, ${name}_describe},`).join('\n')}
};

int main(int argc, char **argv) {
  uint32_t cells[1024];
  size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
  for (size_t i = 0; i < 1024; i++) cells[i] = (uint32_t)i;
  for (size_t round = 0; round < rounds; round++) {
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
      char text[64];
      uint32_t sum = stages[s].run(cells, 1024);
      stages[s].describe(text, sizeof text);
      if (round + 1 == rounds) printf("%s  %08x\\n", text, sum);
    }
  }
  return 0;
}
`;
}

function makefile(names: readonly string[]): string {
  return `CFLAGS = -O2 -Wall
objects = main.o ${names.map((name) => `${name}.o`).join(' ')}

mill: $(objects)
\t$(CC) -o $@ $(objects)

$(objects): stages.h

clean:
\trm -f mill $(objects)
`;
}

/** Numerical Recipes' generator: not random enough for much, the same everywhere. */
function linearCongruential(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 4;
  };
}
