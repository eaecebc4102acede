"""CloudFormation that deploys: templates, change sets, stacks, rollback, and one file per resource type.

moto's own CloudFormation neither rolls back nor updates most types. Here a resource type creates, updates and deletes
by calling the AWS APIs of the local cloud, as CloudFormation itself calls AWS's. Every property a type does not know
is refused by name before anything is changed.
"""
