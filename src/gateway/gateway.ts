export { admit, createHandle, type Handle } from './handle.js';
export { answerHeaders, asFault, saidOf, statusOf } from './respond.js';
export { listen, type Listener, type ListenOptions, type Shed } from './listen.js';
export type { AdmittingStages, AnswerOptions, Generation, Stages } from './stages.js';
export type { InspectBudget } from './body.js';
export { answerPublished, type Published } from './published.js';
export { createMessageJudge, type JudgeMessage } from './message.js';
