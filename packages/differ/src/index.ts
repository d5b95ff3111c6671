export { compress, decompress, MAX_LEVEL } from './blob.js';
export type { PlanCounts, PlannedPages, ResidueCounts, TravelledPages } from './counts.js';
export type { BuildIndexOptions, IndexInfo } from './content-index.js';
export { Differ, type DifferOptions, type PageFrame } from './differ.js';
export { DifferError, DifferErrorCode } from './errors.js';
export { bytesExamined, fileImage } from './file-image.js';
export {
  LEAF_SIZE,
  leafCount,
  PAGE_SIZE,
  pageCount,
  type Image,
  type PageRuns,
  type Space,
  type State,
} from './image.js';
export {
  diffLeaves,
  DIGEST_SIZE,
  leavesOfPages,
  merkleParents,
  merkleRoot,
  pagesOfLeaves,
} from './leaves.js';
export { countPages, joinRuns } from './page-runs.js';
export type { AnswerOptions, Answers } from './questions.js';
export type { AppliedResidue, ApplyOptions, ResidueApplier } from './residue-applier.js';
export type { EncodeOptions, ResidueEstimate, ResidueFrame, ResiduePlan } from './residue-plan.js';
export type { PlanArrays, Yardsticks } from './native.js';
export type { ChangedPages, OperationOptions } from './operation.js';
export { PAGE_CLASSES } from './counts.js';
export { ImageReader } from './image-reader.js';
export type { PlanOptions } from './planning.js';
export { measureYardsticks } from './yardsticks.js';
