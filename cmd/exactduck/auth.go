package main

func authCommands() []command { return nil }
