import { AwsError } from '../aws-error.ts';

export const invalid = (message: string): AwsError => new AwsError('ValidationException', message);

/** For a single parameter's value, which AWS words like this. */
export const invalidValues = (message: string): AwsError => invalid(`One or more parameter values were invalid: ${message}`);

/** JSON of another shape than the operation's. */
export const unreadable = (message: string): AwsError => new AwsError('SerializationException', message);
