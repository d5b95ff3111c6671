export interface BuildOptions {
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}
