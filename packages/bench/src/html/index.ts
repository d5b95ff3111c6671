export { htmlReport } from './report.js';
