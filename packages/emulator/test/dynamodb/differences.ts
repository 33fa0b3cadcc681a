import { miniStack } from './ministack-differences.ts';

export interface Differences {
  /** Why its messages are not compared, only its codes. */
  readonly messages?: string;
  /** What AWS says → what the emulator says instead, with the same code; several where it is more exact than AWS. */
  readonly wording: Readonly<Record<string, string | readonly string[]>>;
  /** Name of a test that the emulator fails → why. Where two tests have one name, that of its group goes before it; `<id>` stands for what is chance in it. */
  readonly behaviour: Readonly<Record<string, string>>;
}

/** Where an emulator does not behave as AWS does. The suite says what AWS does. */
export const differences: Readonly<Record<string, Differences>> = {
  MiniStack: miniStack,
  'dynamodb-local': {
    wording: {
      'ResourceInUseException: Table already exists: <table>': 'ResourceInUseException: Cannot create preexisting table',
      "ValidationException: The parameter 'TableName' is required but was not present in the request":
        "ValidationException: Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'",
      "ValidationException: 1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3":
        "ValidationException: Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'",
      'ValidationException: One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [p, x], AttributeDefinitions: [p, s]':
        'ValidationException: Range Key not specified in Attribute Definitions.  Type unknown.',
      'ValidationException: Invalid KeySchema: Some index key attribute have no definition':
        'ValidationException: Range Key not specified in Attribute Definitions.  Type unknown.',
      'ValidationException: One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions':
        'ValidationException: The number of attributes in key schema must match the number of attributes defined in attribute definitions.',
      'ValidationException: Invalid KeySchema: The first KeySchemaElement is not a HASH key type':
        'ValidationException: Invalid key order. Hash Key must be specified first in key schema, Range Key must be specifed second',
      'ValidationException: Invalid KeySchema: The second KeySchemaElement is not a RANGE key type':
        'ValidationException: Too many hash keys specified.  All Dynamo DB tables must have exactly one hash key',
      'ValidationException: Both the Hash Key and the Range Key element in the KeySchema have the same name':
        'ValidationException: Two keys can not have the same name',
      "ValidationException: 1 validation error detected: Value 'OTHER' at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]":
        'ValidationException: No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key',
      "ValidationException: 1 validation error detected: Value 'BOOL' at 'attributeDefinitions.2.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]":
        'ValidationException: Member must satisfy enum value set: [B, N, S]',
      'ValidationException: One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED':
        'ValidationException: No provisioned throughput specified for the table',
      'ValidationException: One or more parameter values were invalid: List of GlobalSecondaryIndexes is empty':
        'ValidationException: GSI list is empty/invalid',
      'ValidationException: One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [p, s]':
        'ValidationException: Attribute q is not defined in AttributeDefinitions',
      'ValidationException: One or more parameter values were invalid: Unknown ProjectionType: null':
        'ValidationException: Indexes must have a projection specified',
      'ValidationException: One or more parameter values were invalid: ProjectionType is ALL, but NonKeyAttributes is specified':
        'ValidationException: No attributes should be specified to be projected unless projection type is INCLUDE',
      'ValidationException: One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not specified':
        'ValidationException: If Projection type INCLUDE is specified, some non-key attributes to include in the projection must be specified as well',
      'ValidationException: One or more parameter values were invalid: Duplicate index name: one':
        'ValidationException: Two global secondary indices have the same name',
      'ValidationException: One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex':
        'ValidationException: Local Secondary indices are not allowed on hash tables, only hash and range tables',
      'ValidationException: One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table KeySchema for index: one. index hash key: s, table hash key: p':
        'ValidationException: Local Secondary indices must have the same hash key as the main table',
      'ValidationException: One or more parameter values were invalid: Index KeySchema does not have a range key for index: one':
        'ValidationException: Local secondary indices must have a range key',
      'ResourceNotFoundException: Requested resource not found: Table: <table> not found':
        'ResourceNotFoundException: Cannot do operations on a non-existent table',
      'ResourceNotFoundException: Requested resource not found': 'ResourceNotFoundException: Cannot do operations on a non-existent table',
      'ValidationException: ReturnValues can only be ALL_OLD or NONE': 'ValidationException: Return values set to invalid value',
      "ValidationException: 1 validation error detected: Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]":
        'ValidationException: Return values set to invalid value',
      'ValidationException: One or more parameter values were invalid: Missing the key p in the item':
        'ValidationException: One of the required keys was not given a value',
      'ValidationException: One or more parameter values were invalid: Missing the key s in the item':
        'ValidationException: One of the required keys was not given a value',
      'ValidationException: One or more parameter values were invalid: Type mismatch for key p expected: S actual: N':
        'ValidationException: One or more parameter values were invalid: Type mismatch for key',
      'ValidationException: One or more parameter values were invalid: Type mismatch for key s expected: N actual: S':
        'ValidationException: One or more parameter values were invalid: Type mismatch for key',
      'ValidationException: One or more parameter values were invalid: Type mismatch for key p expected: S actual: BOOL':
        'ValidationException: Invalid attribute value type',
      'ValidationException: One or more parameter values were invalid: Type mismatch for Index Key q Expected: S Actual: N IndexName: byQ':
        'ValidationException: One or more parameter values were invalid: Type mismatch for Index Key',
      'ValidationException: The provided key element does not match the schema': [
        'ValidationException: One of the required keys was not given a value',
        'ValidationException: One or more parameter values were invalid: Type mismatch for key',
        'ValidationException: The number of conditions on the keys is invalid',
      ],
      "ValidationException: 1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null":
        'ValidationException: Item to put in PutItem cannot be null',
      "ValidationException: 1 validation error detected: Value null at 'key' failed to satisfy constraint: Member must not be null":
        'ValidationException: Cannot have null key for GetItem, DeleteItem, or UpdateItem',
      'ValidationException: The update expression attempted to update the secondary index key to unsupported type':
        'ValidationException: One or more parameter values were invalid: Type mismatch for Index Key',
      'ValidationException: Attempting to store more than 38 significant digits in a Number':
        'ValidationException: DynamoDB only supports precision up to 38 digits',
      'ValidationException: The parameter cannot be converted to a numeric value: a':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value: 1 ':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value: 1,5':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value: 0x10':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value: NaN':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value: Infinity':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value: 1e':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: The parameter cannot be converted to a numeric value':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: One or more parameter values were invalid: Input collection [a, a] contains duplicates.':
        'ValidationException: One or more parameter values were invalid: Input collection [a, a] contains duplicates',
      'ValidationException: One or more parameter values were invalid: Input collection [AQ==, AQ==]of type BS contains duplicates.':
        'ValidationException: One or more parameter values were invalid: Input collection of type BS contains duplicates.',
      'ValidationException: The parameter cannot be converted to a numeric value: x':
        'ValidationException: A value provided cannot be converted into a number',
      'ValidationException: One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes':
        'ValidationException: Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes',
      'ValidationException: One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes':
        'ValidationException: Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes',
      'ValidationException: Query condition missed key schema element: p': 'ValidationException: Query condition missed key schema element',
      'ValidationException: Query condition missed key schema element: s': 'ValidationException: Query condition missed key schema element',
      'ValidationException: Query condition missed key schema element: r': 'ValidationException: Query condition missed key schema element',
      'ValidationException: Query condition missed key schema element: g': 'ValidationException: Query condition missed key schema element',
      "ValidationException: 1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1":
        'ValidationException: Limit must be greater than or equal to 1',
      'ValidationException: The provided starting key is invalid': [
        "ValidationException: Exclusive Start Key must have same size as table's key schema",
        'ValidationException: The provided starting key is invalid',
      ],
      'ValidationException: The provided starting key is outside query boundaries based on provided conditions':
        'ValidationException: The provided starting key does not match the range key predicate',
      "ValidationException: 1 validation error detected: Value 'SOME' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]":
        'ValidationException: Select must be ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES, COUNT, or SPECIFIC_ATTRIBUTES',
      'ValidationException: The TotalSegments parameter is required but was not present in the request when Segment parameter is present':
        'ValidationException: If segment is specified, total segment must also be specified',
      'ValidationException: The Segment parameter is required but was not present in the request when parameter TotalSegments is present':
        'ValidationException: If total segments is specified, a particular segment must also be specified for this request',
      'ValidationException: The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4':
        "ValidationException: 1 validation error detected: Value '4' at 'segment' failed to satisfy constraint: Member must have value less than or equal to 3",
      "ValidationException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1":
        'ValidationException: Limit must be greater than or equal to 1',
      'ValidationException: The provided starting key is invalid: The provided key element does not match the schema':
        'ValidationException: The provided starting key is invalid',
      'The conditional request failed': ['The conditional request failed', 'The conditional request failed.'],
      "ValidationException: 1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1":
        [
          "ValidationException: Value [] at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
          "ValidationException: Value null at 'transactItems' failed to satisfy constraint: Member must not be null",
        ],
      'The provided key element does not match the schema': 'One or more parameter values were invalid: Type mismatch for key',
      'One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: byG':
        'One or more parameter values were invalid: Type mismatch for Index Key',
      'ValidationException: One or more parameter values were invalid: Type mismatch for Index Key q Expected: S Actual: NULL IndexName: byQ':
        'ValidationException: Invalid attribute value type',
      'ValidationException: ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :v':
        'ValidationException: ExpressionAttributeValues contains invalid value: A value provided cannot be converted into a number for key :v',
    },
    behaviour: {
      'is refused with an unknown billing mode': 'answers InternalFailure',
      'is refused with throughput with billing per request': 'accepts and ignores the throughput',
      'is refused with an unknown view type': 'accepts it',
      'must be written as a string': 'takes a JSON number for a string',
      'may not be a number as a string': 'takes a JSON number for a string',
      'may not be a string as a boolean': 'answers InternalFailure',
      'may not be no base64': 'answers InternalFailure',
      'may not be a list that is none': 'answers InternalFailure',
      'may not be a string alone': 'answers InternalFailure',
      'in a list or a map has its numbers normalised': 'keeps nested numbers as they were written',
      'end after a megabyte that a filter leaves out': 'reads on until a megabyte of what the filter lets through',
      'by DeleteItem only when asked for': 'tells it always when there was no item',
      'may not be asked for otherwise': 'accepts any word',
      'something also for an item of a batch that is not there': 'counts nothing for it',
      'hold numbers as they are read': 'keeps a number as an update has written it',
      'gives no iterator for an unknown type': 'answers InternalFailure',
      'gives no iterator for no type': 'answers InternalFailure',
      'is refused with an update without expression': 'accepts it',
      'is cancelled by an item without its key': 'answers ValidationException to the whole transaction',
      'is cancelled by an item that is too large': 'answers ValidationException to the whole transaction',
      'is cancelled by an operand that does not fit the item': 'answers ValidationException to the whole transaction',
      'is cancelled by an attribute that the item lacks': 'answers ValidationException to the whole transaction',
      'is cancelled by a path that the item lacks': 'answers ValidationException to the whole transaction',
      'is cancelled by a key that is none': 'gives no reasons',
      'is normalised by an update too': 'keeps a number as an update has written it',
      'one in a batch and two in a transaction to delete nothing': 'counts two and one',
      'in a transaction the sum of its parts': 'counts less than for each part alone',
      'of "{" is none': 'answers InternalFailure',
      'of "" is none': 'answers InternalFailure',
      'of "[]" is none': 'answers InternalFailure',
      'of "{\\"TableName\\":\\"abc\\",\\"Key\\":[]}" is none': 'answers InternalFailure',
      'of "{\\"TableName\\":\\"abc\\",\\"Key\\":{\\"p\\":\\"a\\"}}" is none': 'answers InternalFailure',
      'of "{\\"TableName\\":5}" is none': 'takes a JSON number for a string',
      'to "" is unknown': 'answers InternalFailure',
      'to "DynamoDB_20120810" is unknown': 'answers InternalFailure',
      'to "DynamoDB_20120810." is unknown': 'answers InternalFailure',
      'to "Other.GetItem" is unknown': 'answers InvalidAction',
      'of a nested path: the path alone': 'gives the whole attribute',
    },
  },
};
