package main

// lookCommands look at what is there and change nothing that a pipeline made.
func lookCommands() []command {
	return append(schemaCommands(), doctorCommand(), divisionsCommand(), endpointsCommand(), queryCommand(), sandboxCommand())
}
