import { Stack } from 'aws-cdk-lib';
import type { OwnedTable } from '@outbox-saga/constructs/owned-table';
import type { Messaging } from './messaging.ts';
import type { OrderServices } from './order-services.ts';

/**
 * Customers are told how their order ended.
 *
 * @param emailSender address that SES has verified; without it nobody is mailed
 * @returns the table of who was told
 */
export function addNotification(services: OrderServices, messaging: Messaging, emailSender: string | undefined): OwnedTable {
  const notifications = services.table('notifications');

  const { function: notification } = services.consumer('notification', {
    NOTIFICATIONS_TABLE: notifications.tableName,
    ...messaging.listenerEnvironment,
    EMAIL_SENDER: emailSender ?? '',
  });
  notification.allow(['dynamodb:PutItem'], notifications.tableArn);
  messaging.grantListener(notification);
  if (emailSender) {
    notification.allow(['dynamodb:UpdateItem'], notifications.tableArn);
    // SES checks the identity that is verified: the address itself or its domain.
    const identities = [emailSender, emailSender.slice(emailSender.indexOf('@') + 1)];
    const stack = Stack.of(notification);
    notification.allow(
      ['ses:SendEmail'],
      ...identities.map((resourceName) => stack.formatArn({ service: 'ses', resource: 'identity', resourceName })),
    );
  }
  return notifications;
}
