import type { InputEvent, InputLog, InputSink, SessionEnd, TimedInput } from '../input-event.js';

/** Keeps what is recorded. */
export class Tape implements InputSink {
  readonly inputs: TimedInput[] = [];
  end: SessionEnd | undefined;

  get events(): InputEvent[] {
    return this.inputs.map(({ event }) => event);
  }

  record(input: TimedInput): void {
    this.inputs.push(input);
  }

  finish(end: SessionEnd): Promise<void> {
    this.end = end;
    return Promise.resolve();
  }

  log(): InputLog {
    return {
      header: { width: 720, height: 400, held: [], buttons: 0 },
      events: this.inputs,
      ...(this.end === undefined ? {} : { end: this.end }),
    };
  }
}
